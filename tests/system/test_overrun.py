#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A recorder that comes later than the board's ring lasts: the loss is listed, and nothing else
is lost."""
import h5py
import numpy

import harness
from harness import Flock, SAMPLE_RATE_HZ, support

LIMIT_S = 120
CAUSE_RING = 1
DURATION_S = 9
RING_SAMPLES = 512 * 1000
STALL_AT = 100000
STALL_S = 6

EXPERIMENT = {
    "name": "overrun", "duration": f"{DURATION_S} s",
    # how exactly a busy host starts is not the subject
    "start": {"clock_error_max": "100 ms"},
    "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"}},
}


def stall(name, config):
    if name == "sheep1":
        config["sim"].update(stall_at=STALL_AT, stall_ms=STALL_S * 1000)


def check_gap(path):
    n_samples = DURATION_S * SAMPLE_RATE_HZ
    with h5py.File(path, "r") as file:
        gaps = file["gaps"]
        assert set(gaps["cause"][:]) == {CAUSE_RING}, gaps["cause"][:]
        lost = int(gaps["n_samples"][:].sum())
        # the ring held out for 5.12 s of the 6
        assert 0 < lost <= STALL_S * SAMPLE_RATE_HZ - RING_SAMPLES + SAMPLE_RATE_HZ, lost
        first = int(gaps["first_sample"][0])
        assert first >= STALL_AT + RING_SAMPLES - SAMPLE_RATE_HZ, first
        assert file.attrs["n_gap_samples"] == lost
        assert len(file["data/time"]) == n_samples
        assert "ring was 100 % full" in file.attrs["remarks"], file.attrs["remarks"]
        missing = numpy.zeros(n_samples, dtype=bool)
        for begin, count in zip(gaps["first_sample"][:], gaps["n_samples"][:]):
            missing[int(begin):int(begin + count)] = True
        volts = file["data/voltage"][:]
        assert not volts[missing].any()
        assert (volts[~missing][1000:] > 0).all()
    return lost


def test_a_ring_that_overran_is_a_gap_and_an_invalid_recording():
    with Flock(2, change=stall) as flock:
        done = flock.run(EXPERIMENT)
        assert done.status != 0, str(done)
        path = flock.file_of("sheep1", "hrv_overrun_")
        lost = check_gap(path)
        verdicts = [line for line in done.out.splitlines() if line.startswith("sheep1: invalid")]
        assert len(verdicts) == 1 and f"{lost} samples are missing" in verdicts[0], str(done)
        assert "sheep0: valid" in done.out, str(done)
        checked = support("h5_check.py", path)
        assert checked.status == 0, str(checked)
        verified = flock.herd("verify", path)
        assert verified.status == 0, str(verified)


if __name__ == "__main__":
    harness.main(globals())
