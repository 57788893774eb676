"""Workloads on the nodes of a cluster: who places them, how the server speaks with them, what it brings them.

backend.py   starts a workload somewhere in the cluster          the server
placing.py   asks Ray for a place, through a process of its own  the server
driver.py    that process, the only one that knows Ray           beside the server
remote.py    a workload that runs elsewhere                      the server
parcels.py   folders as the same bytes every time                both
wire.py      connections that both ends prove themselves on      both
agent.py     runs one workload in a sandbox                      a node
cache.py     what was brought to a node                          a node
"""
