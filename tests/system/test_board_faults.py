#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Faults of converters, memory, cores and images around the real firmware, one a node: each is named
in that node's verdict, the others are not touched."""
import os
import shutil
import tempfile

import harness
from harness import BUILD as FOLDER, Flock, SAMPLE_RATE_HZ, Skip
from test_run import check_file, check_truth

LIMIT_S = 180
BUILD = "release"
PATIENT = True
FIRMWARE = os.path.join(FOLDER, "pru", "fw")
DURATION_S = 0.1

# what is wrong, and what the verdict must say; None: it is valid
FAULTS = [
    ({}, None),
    ({"adc_fault": "silent", "adc_fault_at": 2000}, "the harvester's voltage ADC"),
    ({"adc_fault": "stuck_high", "adc_fault_at": 2000}, "the harvester's voltage ADC"),
    ({"adc_fault": "forgetful", "adc_fault_at": 2000}, "an ADC was silent"),
    ({"hang_at": 2000, "hang_core": 0}, "the other core is silent"),
    ({"hang_at": 2000, "hang_core": 1}, "the other core is silent"),
    ({"overwrite_at": 2000}, "overwritten"),
    ({"ddr_stall_at": 2000, "ddr_stall_us": 20}, "more than 1 us late"),
]
HARMLESS = {"forgetful", 20}  # a remark
EXPERIMENT = {
    "name": "faults", "duration": f"{DURATION_S} s", "start": {"clock_error_max": "500 ms"},
    "defaults": {"mode": "harvest", "harvester": {"inherit_from": "cv20"}},
}


def require():
    if not os.path.exists(os.path.join(FIRMWARE, "pru1-24.elf")):
        raise Skip("no firmware: pru/toolchain.sh builds its compiler")


def broken(name, config):
    config["board"] = "iss"
    config["sim"]["firmware"] = FIRMWARE
    config["sim"].update(FAULTS[int(name[len("sheep"):])][0])


def verdicts(done):
    """Line of each node."""
    return {line.split(":")[0]: line for line in done.out.splitlines() if line.startswith("sheep")}


def test_every_fault_is_named_in_the_verdict_of_its_node():
    require()
    with Flock(len(FAULTS), change=broken) as flock:
        done = flock.run(EXPERIMENT)
        assert done.status != 0, str(done)
        said = verdicts(done)
        for name, (fault, words) in zip(flock.names, FAULTS):
            line = said[name]
            print(f"figure: {fault or 'nothing wrong'}: {line}")
            if words is None:
                assert line.startswith(f"{name}: valid"), line
                path = flock.file_of(name, "hrv_faults_")
                check_file(path, round(DURATION_S * SAMPLE_RATE_HZ), "harvester")
                check_truth(flock, path, name, "faults")
            else:
                assert words in line, (fault, line)
                assert (f"{name}: valid" in line) == (set(fault.values()) & HARMLESS != set()), line
            if "ddr_stall_at" in fault:
                check_truth(flock, flock.file_of(name, "hrv_faults_"), name, "faults")


def test_an_image_that_is_wrong_or_missing_refuses_the_start():
    require()

    for spoil, words in ((os.unlink, "pru1-24.elf: No such file"),
                         (lambda path: os.truncate(path, 100), "cut off within")):
        def change(name, config, spoil=spoil):
            config["board"] = "iss"
            config["sim"]["firmware"] = FIRMWARE
            if name == "sheep1":
                images = os.path.join(folder, "images")
                shutil.copytree(FIRMWARE, images, ignore=shutil.ignore_patterns("CMakeFiles", "pru1-2?"))
                spoil(os.path.join(images, "pru1-24.elf"))
                config["sim"]["firmware"] = images

        with tempfile.TemporaryDirectory() as folder, Flock(2, change=change) as flock:
            done = flock.run(EXPERIMENT)
            assert done.status != 0, str(done)
            said = [line for line in done.out.splitlines() if line.startswith("sheep1  refused")]
            assert len(said) == 1 and words in said[0], str(done)


if __name__ == "__main__":
    harness.main(globals())
