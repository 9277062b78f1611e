#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Nodes that refuse: nobody starts, or the rest runs, as the experiment says beforehand."""
import os
import subprocess
import tempfile

import harness
from harness import Flock, SAMPLE_RATE_HZ, SHEEP, wait_for

LIMIT_S = 300


def experiment(require, name="refuse", **defaults):
    return {"name": name, "duration": "1 s", "start": {"require": require},
            "defaults": dict({"mode": "harvest", "harvester": {"inherit_from": "cv20"}}, **defaults)}


def small_disk(name, config):
    """sheep1 keeps so much in reserve that nothing is left."""
    if name == "sheep1":
        config["disk_reserve"] = 1 << 60


def no_calibration(name, config):
    if name == "sheep1":
        config.pop("calibration", None)


def wrong_clock(name, config):
    """Five seconds off: proven by the exchange of timestamps, whatever its daemon claims."""
    if name == "sheep1":
        config.setdefault("clock", {})["offset_us"] = 5e6


def unlocked_clock(name, config):
    if name == "sheep1":
        config.setdefault("clock", {})["locked"] = False


def nobody_started(flock):
    """No log and no result; a prepared log goes away a moment after the cancellation."""
    def logs(name):
        folder = flock.data(name, "recordings")
        return [entry for entry in os.listdir(folder) if entry.endswith(".rlog")] \
            if os.path.isdir(folder) else []

    for name in flock.names:
        wait_for(f"no log on {name}", lambda name=name: not logs(name), 3)
    assert not flock.files()


def require_all_means_nobody(change, word):
    with Flock(3, change=change) as flock:
        done = flock.run(experiment("all"))
        assert done.status == 1, str(done)
        text = done.out + done.err
        assert "sheep1" in text and word in text, text
        nobody_started(flock)
        again = flock.run(experiment("sheep[0,2]", "rest"))
        text = again.out + again.err
        for name in ("sheep0", "sheep2"):
            assert os.path.exists(flock.file_of(name, "hrv_rest_")), text
        assert not flock.files("hrv_rest_*_sheep1.h5")
        assert "sheep1" in text and word in text, text
        assert again.status == 1, "a node refused, although it was not required"
        import h5py
        with h5py.File(flock.file_of("sheep2", "hrv_rest_"), "r") as file:
            assert len(file["data/voltage"]) == SAMPLE_RATE_HZ


def test_a_disk_too_small_refuses():
    require_all_means_nobody(small_disk, "disk")


def test_a_clock_proven_off_refuses():
    require_all_means_nobody(wrong_clock, "clock")


def test_an_unlocked_clock_refuses_unless_any_will_do():
    with Flock(2, change=unlocked_clock) as flock:
        done = flock.run(experiment("all"))
        assert done.status == 1 and "clock" in done.out + done.err, str(done)
        nobody_started(flock)
        done = flock.run(experiment("all", clock_source="any"))
        assert done.status == 0, str(done)


def test_a_board_without_calibration_refuses_unless_told_otherwise():
    with Flock(2, change=no_calibration) as flock:
        done = flock.run(experiment("all"))
        assert done.status == 1 and "calibration" in done.out + done.err, str(done)
        nobody_started(flock)
        done = flock.run(experiment("all", use_cal_default=True))
        text = done.out + done.err
        assert done.status == 0 and "calibration" in text, "valid, with a remark: " + text


def sheep(*words, status=0):
    done = subprocess.run([SHEEP, *words], text=True, capture_output=True, timeout=20, check=False)
    assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout if status == 0 else done.stderr


CALIBRATION = """harvester: {dac_V_Hrv: {gain: 7.63e-05}, dac_V_Sim: {gain: 7.63e-05},
  adc_V_Sense: {gain: 1.96e-05}, adc_C_Hrv: {gain: 2.03e-07, offset: -1e-06}}
emulator: {dac_V_A: {gain: 7.63e-05}, dac_V_B: {gain: 7.63e-05},
  adc_C_A: {gain: 2.03e-07}, adc_C_B: {gain: 2.04e-07}}
"""


def test_a_cape_s_eeprom_serves_unless_it_is_damaged():
    with tempfile.TemporaryDirectory() as folder:
        image, cal = os.path.join(folder, "eeprom"), os.path.join(folder, "cal.yaml")
        with open(cal, "w", encoding="ascii") as file:
            file.write(CALIBRATION)
        sheep("eeprom-write", cal, image, "--serial", "17")
        assert "serial 17" in sheep("eeprom-read", image)

        def from_eeprom(name, config):
            config.pop("calibration", None)
            config["eeprom"] = image

        with Flock(1, change=from_eeprom) as flock:
            done = flock.run(experiment("all"))
            assert done.status == 0 and "calibration" not in done.out + done.err, str(done)
            import h5py
            with h5py.File(flock.file_of("sheep0", "hrv_refuse_"), "r") as file:
                assert abs(file["data/current"].attrs["gain"] - 2.03e-07) < 1e-20
                assert abs(file["data/current"].attrs["offset"] + 1e-06) < 1e-20
        with open(image, "r+b") as file:
            file.seek(520)
            file.write(b"x")
        assert "CRC-32C" in sheep("eeprom-read", image, status=1)
        with Flock(1, change=from_eeprom) as flock:
            done = flock.run(experiment("all"))
            assert done.status == 1 and "CRC-32C" in done.out + done.err, str(done)
            nobody_started(flock)


def test_a_node_that_is_not_there_fails_all_or_is_named():
    with Flock(3) as flock:
        flock.kill("sheep1")
        done = flock.run(experiment("all"))
        assert done.status in (1, 3) and "sheep1" in done.out + done.err, str(done)
        nobody_started(flock)


if __name__ == "__main__":
    harness.main(globals())
