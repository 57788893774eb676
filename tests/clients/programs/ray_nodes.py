"""A Ray cluster of several nodes on this machine, each at an address of its own: `ray_nodes.py FOLDER`, in the environment `ray`.

On standard input it takes `add NAME` and `kill NAME`, and prints a JSON object for each; when that ends, so does everything.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0", "RAY_DISABLE_IMPORT_WARNING": "1"}

from ray.cluster_utils import Cluster

SIZE = {"num_cpus": 4, "memory": 4 * 1024**3, "object_store_memory": 80 * 1024**2, "include_dashboard": False}


def main() -> None:
    folder, nodes = Path(sys.argv[1]), {}
    cluster = Cluster()
    # Ray has sockets in it, whose paths may not be long.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as own:
        for line in sys.stdin:
            word, name = line.split()
            if word == "add":
                settings = {"temp_dir": own} if not nodes else {}
                address = f"127.0.0.{len(nodes) + 2}"
                caches = {"MODELYARD_NODE_CACHE": str(folder / name)}
                node = nodes[name] = cluster.add_node(**SIZE, **settings, node_ip_address=address, env_vars=caches)
                raylet = node.all_processes["raylet"][0].process.pid
                print(json.dumps({"name": name, "address": cluster.address, "raylet": raylet}), flush=True)
            else:
                cluster.remove_node(nodes[name], allow_graceful=False)
                print(json.dumps({"name": name}), flush=True)
        cluster.shutdown()


if __name__ == "__main__":
    main()
