#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A name that is taken: number, refuse and overwrite, each twice, on workstation and node."""
import os

import harness
from harness import Flock

LIMIT_S = 200


def experiment(exists):
    return {"name": "same", "duration": "300 ms",
            "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"},
                         "record": {"exists": exists}}}


def test_results_on_the_workstation():
    """Names carry the start's second, so the test takes the name of every coming second."""
    import time
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


if __name__ == "__main__":
    harness.main(globals())
