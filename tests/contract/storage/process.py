"""What the other processes of test_processes.py run: `python process.py <what> <address> <name>`."""

import sys
import threading

from modelyard.storage import Transaction, open_storage

THREADS = 16
TIMES = 25


def count(address: str, name: str) -> None:
    """Take numbers from one counter on many threads at once and print them."""
    storage = open_storage(address)
    taken: list[int] = []

    def work(tx: Transaction) -> int:
        row = tx.one("UPDATE counter SET value = value + 1 WHERE name = 'versions' RETURNING value")
        assert row is not None
        tx.execute("INSERT INTO thing (name, amount) VALUES (:name, :amount)", {"name": f"{name} {row[0]}", "amount": row[0]})
        return int(row[0])

    def loop() -> None:
        for _ in range(TIMES):
            taken.append(storage.write(work))

    threads = [threading.Thread(target=loop) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    storage.close()
    print(*taken)


def acknowledge(address: str, name: str) -> None:
    """Write pairs of rows for ever, on many threads, and print the number of each pair once it is acknowledged."""
    storage = open_storage(address)
    numbers = iter(range(1_000_000))
    printing = threading.Lock()

    def loop() -> None:
        while True:
            with printing:
                number = next(numbers)

            def work(tx: Transaction, number: int = number) -> None:
                for half in ("left", "right"):
                    tx.execute(
                        "INSERT INTO thing (name, amount) VALUES (:name, :amount)", {"name": f"{number} {half}", "amount": number}
                    )

            storage.write(work)
            with printing:
                print(number, flush=True)

    for _ in range(8):
        threading.Thread(target=loop, daemon=True).start()
    threading.Event().wait()


def hold(address: str, name: str) -> None:
    """Hold the write lock until a line comes in."""
    storage = open_storage(address)

    def work(tx: Transaction) -> None:
        tx.execute("INSERT INTO thing (name) VALUES (:name)", {"name": name})
        print("holding", flush=True)
        sys.stdin.readline()

    storage.write(work)
    storage.close()


def migrate(address: str, name: str) -> None:
    """Bring the database up to date, as a server that starts does; print what was done."""
    from modelyard.storage import migrate as bring_up

    storage = open_storage(address)
    sys.stdin.readline()
    print(*bring_up(storage, ["tests.migration.sample"]))
    storage.close()


if __name__ == "__main__":
    {"count": count, "acknowledge": acknowledge, "hold": hold, "migrate": migrate}[sys.argv[1]](sys.argv[2], sys.argv[3])
