#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A name that is taken: number, refuse and overwrite, each twice, on workstation and node."""
import os
import shutil
import time

import harness
from harness import Flock

LIMIT_S = 200


def experiment(exists):
    return {"name": "same", "duration": "300 ms",
            "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"},
                         "record": {"exists": exists}}}


def test_results_on_the_workstation():
    """Names carry the start's second, so the test takes the name of every coming second."""
    with Flock(1) as flock:
        def take():
            now = int(time.time())
            for second in range(now, now + 12):
                stamp = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(second))
                with open(os.path.join(flock.results, f"hrv_same_{stamp}_sheep0.h5"), "w",
                          encoding="utf-8") as file:
                    file.write("mine")

        def mine():
            count = 0
            for path in flock.files("hrv_same_*.h5"):
                with open(path, "rb") as file:
                    count += file.read(5) == b"mine"
            return count

        def clear():
            for path in flock.files("hrv_same_*"):
                os.unlink(path)

        for _ in range(2):
            take()
            before = mine()
            done = flock.run(experiment("number"))
            assert done.status == 0, str(done)
            assert mine() == before, "number touches nothing"
            assert len(flock.files("hrv_same_*.h5")) == before + 1
            clear()
        for _ in range(2):
            take()
            before = mine()
            done = flock.run(experiment("overwrite"))
            assert done.status == 0, str(done)
            assert mine() == before - 1 and len(flock.files("hrv_same_*.h5")) == before
            clear()
        for _ in range(2):
            take()
            before = mine()
            done = flock.run(experiment("refuse"))
            assert done.status == 2, str(done)
            assert "sheep0.h5" in done.err + done.out, str(done)
            assert mine() == before and len(flock.files("hrv_same_*.h5")) == before
            clear()


def test_logs_on_the_node():
    """The same on the node, whose logs carry the second in which herd began to prepare."""
    with Flock(1) as flock:
        recordings = flock.data("sheep0", "recordings")

        def take():
            now = int(time.time())
            for second in range(now, now + 12):
                stamp = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(second))
                folder = os.path.join(recordings, f"same_{stamp}_sheep0.rlog")
                os.makedirs(folder)
                with open(os.path.join(folder, "000000.seg"), "w", encoding="utf-8") as file:
                    file.write("mine")

        def mine():
            count = 0
            for folder in os.listdir(recordings):
                path = os.path.join(recordings, folder, "000000.seg")
                if os.path.exists(path):
                    with open(path, "rb") as file:
                        count += file.read() == b"mine"
            return count

        def clear():
            for folder in os.listdir(recordings):
                shutil.rmtree(os.path.join(recordings, folder))

        for exists, status, lost in (("number", 0, 0), ("overwrite", 0, 1), ("refuse", 2, 0)):
            for _ in range(2):
                time.sleep(1)  # two runs of one second are told apart by a number in the name
                take()
                before, files = mine(), len(flock.files("hrv_same_*.h5"))
                done = flock.run(experiment(exists))
                assert done.status == status, str(done)
                assert mine() == before - lost, f"{exists}: {mine()} of {before}"
                assert len(flock.files("hrv_same_*.h5")) == files + (1 if status == 0 else 0)
                if status != 0:
                    assert "exists on the node" in done.err + done.out, str(done)
                clear()


if __name__ == "__main__":
    harness.main(globals())
