#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""herd simulate: results agree with what was true, whatever harvests and whatever emulates."""
import json
import os
import signal
import subprocess
import tempfile

import h5py
import numpy
import yaml

import harness
from harness import HERD, INVENTORY, support

LIMIT_S = 600
BUILD = "release"
PATIENT = True
SKY = os.path.join(INVENTORY, "environments", "changing_sky.csv")
HARVESTERS = ["iv110", "iv1000", "isc_voc", "cv10", "cv20", "mppt_voc", "mppt_bq", "mppt_po",
              "mppt_opt"]
SOURCES = ["neutral", "direct", "diode+capacitor", "diode+resistor+capacitor", "BQ25504",
           "BQ25504s", "BQ25570", "BQ25570s"]


def herd(folder, experiment, *words, status=0):
    """Output of one simulation; the experiment is a dict."""
    path = os.path.join(folder, "experiment.yaml")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(experiment, file)
    done = subprocess.run([HERD, "simulate", path, *words], text=True, capture_output=True,
                          timeout=120, check=False, cwd=folder)
    assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout if status == 0 else done.stderr


def harvest(harvester="iv110", duration="1 s"):
    return {"name": "hrv", "duration": duration,
            "defaults": {"mode": "harvest", "harvester": harvester}}


def emulate(source="BQ25570s", duration="2 s", **more):
    return {"name": "emu", "duration": duration,
            "defaults": {"mode": "emulate", "source": {"inherit_from": source}, **more}}


def check_truth(folder, experiment, *words):
    result, truth = os.path.join(folder, "r.h5"), os.path.join(folder, "r.truth")
    for path in (result, truth):
        if os.path.exists(path):
            os.unlink(path)
    herd(folder, experiment, "-e", SKY, "-o", result, "--truth", truth, *words)
    checked = support("truth_check.py", result, truth)
    assert checked.status == 0, f"{experiment}: {checked}"
    assert "nothing to compare" not in checked.out, f"{experiment}: {checked}"
    verified = subprocess.run([HERD, "verify", result], text=True, capture_output=True,
                              timeout=60, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    return result


def test_every_harvester_records_what_was_true():
    with tempfile.TemporaryDirectory() as folder:
        for harvester in HARVESTERS:
            check_truth(folder, harvest(harvester))


def test_every_source_records_what_was_true():
    with tempfile.TemporaryDirectory() as folder:
        for source in SOURCES:
            check_truth(folder, emulate(source))
        for port in ("A", "B"):
            check_truth(folder, emulate(target_port=port))


def test_samples_beyond_the_input_s_limits_are_counted():
    """The last bins of a table are open; its end is where the converter clips."""
    with tempfile.TemporaryDirectory() as folder:
        result = os.path.join(folder, "r.h5")
        plain = json.loads(herd(folder, emulate(duration="500 ms"), "-e", SKY, "--json"))
        assert plain["n_clamped"] == 0, plain
        experiment = emulate(duration="500 ms")
        experiment["defaults"]["source"]["V_input_max_mV"] = 1000
        clipped = json.loads(herd(folder, experiment, "-e", SKY, "--json", "-o", result))
        assert clipped["n_clamped"] > 10000, clipped
        with h5py.File(result, "r") as file:
            assert int(file.attrs["n_clamped"]) == clipped["n_clamped"]
        assert "outside the efficiency table" in herd(folder, experiment, "-e", SKY)


def test_every_kind_of_target():
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace.csv")
        with open(trace, "w", encoding="ascii") as file:
            file.write("time_us,current_nA\n")
            file.writelines(f"{10 * k},{500000 if k % 70 < 20 else 3000}\n" for k in range(700))
        for target in ("2.2 kOhm", "4700", trace):
            check_truth(folder, emulate(), "-t", target)


def test_a_truth_of_another_run_is_found_out():
    with tempfile.TemporaryDirectory() as folder:
        result = check_truth(folder, harvest("cv20"))
        other = os.path.join(folder, "other.truth")
        herd(folder, harvest("cv10"), "-e", SKY, "--truth", other)
        checked = support("truth_check.py", result, other)
        assert checked.status == 1 and "voltage" in checked.out.splitlines()[-1], str(checked)


def test_csv_holds_what_the_file_holds():
    with tempfile.TemporaryDirectory() as folder:
        result, text = os.path.join(folder, "r.h5"), os.path.join(folder, "r.csv")
        herd(folder, emulate(duration="300 ms", record={"storage": True}), "-e", SKY,
             "-o", result, "-c", text)
        rows = numpy.genfromtxt(text, delimiter=",", names=True)
        with h5py.File(result, "r") as file:
            assert len(rows) == len(file["data/time"]) == 30000
            for column, name in (("voltage_V", "voltage"), ("current_A", "current")):
                data = file["data"][name]
                value = data[:] * data.attrs["gain"] + data.attrs["offset"]
                assert numpy.allclose(rows[column], value, rtol=1e-7, atol=1e-12), name
            data = file["data_storage/voltage"]
            value = data[:] * data.attrs["gain"] + data.attrs["offset"]
            assert numpy.allclose(rows["storage_voltage_V"], value, rtol=1e-7), "storage"
        assert numpy.allclose(rows["time_s"], numpy.arange(30000) * 1e-5)


def values(file, name):
    data = file[name]
    return data[:] * data.attrs["gain"] + data.attrs["offset"]


def means(codes, window):
    """Of every window, the last may be short: exact, halves up."""
    sums = numpy.add.reduceat(codes.astype("int64"), numpy.arange(0, len(codes), window))
    counts = numpy.full(len(sums), window)
    counts[-1] = len(codes) - window * (len(sums) - 1)
    return (2 * sums + counts) // (2 * counts)


def check_rate(folder, full, experiment, rate):
    """Rows, stamps, meaning and overview of one rate against the recording at 100 kHz."""
    result, text = os.path.join(folder, f"{rate}.h5"), os.path.join(folder, f"{rate}.csv")
    experiment["defaults"]["record"]["samplerate"] = rate
    herd(folder, experiment, "-e", SKY, "-o", result)
    checked = support("h5_check.py", result)
    assert checked.status == 0, str(checked)
    info = json.loads(subprocess.run([HERD, "info", "--json", result], text=True, timeout=60,
                                     capture_output=True, check=True).stdout)
    assert info["samplerate_Hz"] == rate and info["samples"] == 123457, info
    assert abs(info["duration_s"] - 1.23457) < 1e-9, info
    subprocess.run([HERD, "export", result, "-o", text], timeout=60, check=True)
    rows = numpy.genfromtxt(text, delimiter=",", names=True)
    window = 100000 // rate
    with h5py.File(result, "r") as file, h5py.File(full, "r") as whole:
        steps = numpy.unique(numpy.diff(file["data/time"][:].astype("int64")))
        assert list(steps) == [window * 10000], steps
        for name in ("data/voltage", "data/current", "data_storage/voltage",
                     "data_storage/current"):
            if name not in whole:
                continue
            assert numpy.array_equal(file[name][:], means(whole[name][:], window)), name
            for attribute in ("gain", "offset", "unit"):
                assert file[name].attrs[attribute] == whole[name].attrs[attribute], name
        for name in ("voltage", "current"):
            for level in ("64", "4096"):
                for value in ("minimum", "mean", "maximum"):
                    path = f"overview/{name}/{level}/{value}"
                    assert numpy.array_equal(file[path][:], whole[path][:]), path
        column = [name for name in rows.dtype.names if name.startswith("voltage")][0]
        assert numpy.allclose(rows[column], values(file, "data/voltage"), rtol=1e-6), column
        return values(file, "data/voltage"), info, file["data/voltage"].attrs["gain"]


def test_every_rate_stores_the_means_of_its_windows():
    with tempfile.TemporaryDirectory() as folder:
        for experiment in (harvest("cv20", "1234570 us"), emulate(duration="1234570 us")):
            full = os.path.join(folder, experiment["name"] + ".h5")
            is_harvest = experiment["defaults"]["mode"] == "harvest"
            experiment["defaults"]["record"] = {"storage": not is_harvest}
            herd(folder, experiment, "-e", SKY, "-o", full)
            for rate in (10, 100, 1000):
                volts, info, lsb = check_rate(folder, full, experiment, rate)
                # cv20 holds 2.000 V, as near as its DAC can, once it has begun
                if is_harvest:
                    with h5py.File(full, "r") as whole:
                        held = values(whole, "data/voltage")[-1]
                    assert abs(held - 2.0) < 1e-4, held
                    assert abs(volts[1:] - held).max() <= lsb, (rate, volts)
                    assert abs(info["voltage_V"]["maximum"] - held) <= lsb, info
                os.unlink(os.path.join(folder, f"{rate}.h5"))


def test_a_delayed_trace_and_an_overview_alone():
    with tempfile.TemporaryDirectory() as folder:
        full, part = os.path.join(folder, "full.h5"), os.path.join(folder, "part.h5")
        brief = os.path.join(folder, "brief.h5")
        experiment = emulate(duration="1 s")
        herd(folder, experiment, "-e", SKY, "-o", full)
        experiment["defaults"]["record"] = {"delay": "123450 us", "duration": "300 ms"}
        herd(folder, experiment, "-e", SKY, "-o", part)
        experiment["defaults"]["record"] = {"overview_only": True}
        herd(folder, experiment, "-e", SKY, "-o", brief)
        with h5py.File(full, "r") as whole, h5py.File(part, "r") as some, \
                h5py.File(brief, "r") as none:
            for name in ("data/voltage", "data/current"):
                expected = whole[name][:]
                expected[:12345] = 0
                expected[42345:] = 0
                assert numpy.array_equal(some[name][:], expected), name
                assert none[name].attrs["recorded"] == 0, name
                assert none[name].id.get_storage_size() == 0, name
            assert len(some["gaps/first_sample"]) == 0
            for path in ("overview/voltage/64/mean", "overview/current/512/maximum"):
                assert numpy.array_equal(none[path][:], whole[path][:]), path


def test_sweep_equals_single_runs():
    with tempfile.TemporaryDirectory() as folder:
        lines = herd(folder, emulate(), "-e", SKY, "--json", "-S",
                     "C_intermediate_uF=10,22,47,100").splitlines()
        swept = [json.loads(line) for line in lines]
        assert [line["value"] for line in swept] == [10, 22, 47, 100]
        for line in swept:
            single = emulate()
            single["defaults"]["source"]["C_intermediate_uF"] = line["value"]
            alone = json.loads(herd(folder, single, "-e", SKY, "--json"))
            for name in alone:
                assert name == "wall_s" or alone[name] == line[name], (name, alone, line)
        assert swept[0]["on_s"] < swept[-1]["on_s"], swept
        table = herd(folder, emulate(), "-e", SKY, "-S", "C_intermediate_uF=10,22,47,100")
        assert len(table.splitlines()) == 5, table


def test_start_power_is_marked():
    with tempfile.TemporaryDirectory() as folder:
        result = os.path.join(folder, "r.h5")
        herd(folder, emulate(duration="300 ms", start_power_ms=123.45, start_power_mV=3000),
             "-e", SKY, "-o", result)
        with h5py.File(result, "r") as file:
            count = int(file["data"].attrs["start_power_samples"])
            volts = values(file, "data/voltage")
        assert count == 12345
        assert abs(volts[:count] - 3.0).max() < 1e-4, volts[:count]
        assert volts[count] < 2.9, "then the source's own 2.2 V, or nothing"
        os.unlink(result)
        herd(folder, emulate(duration="10 ms"), "-e", SKY, "-o", result)
        with h5py.File(result, "r") as file:
            assert "start_power_samples" not in file["data"].attrs


def test_pairs_of_isc_and_voc_are_an_input():
    """Recorded as pairs, the day gives about what it gives as curves."""
    with tempfile.TemporaryDirectory() as folder:
        energies = {}
        for harvester in ("iv110", "isc_voc"):
            path = os.path.join(folder, harvester + ".h5")
            herd(folder, harvest(harvester), "-e", SKY, "-o", path)
            for algorithm in ("mppt_opt", "mppt_po", "mppt_voc", "cv20"):
                experiment = emulate("BQ25504s", input=path)
                del experiment["duration"]
                experiment["defaults"]["source"]["harvester"] = {"inherit_from": algorithm}
                energies[harvester, algorithm] = json.loads(
                    herd(folder, experiment, "--json"))["input_Ws"]
        for algorithm in ("mppt_opt", "mppt_voc", "cv20"):
            ratio = energies["isc_voc", algorithm] / energies["iv110", algorithm]
            assert 0.8 < ratio < 1.2, energies
        assert energies["isc_voc", "mppt_opt"] >= 0.999 * energies["isc_voc", "mppt_po"] > 0


def test_a_sweep_holds_its_voltages():
    with tempfile.TemporaryDirectory() as folder:
        result = check_truth(folder, {
            "name": "sweep", "duration": "1 s", "defaults": {"mode": "harvest", "harvester": {
                "algorithm": "sweep", "samples_n": 10, "voltage_min_mV": 500,
                "voltage_max_mV": 2300, "voltage_mV": 500, "interval_ms": 50}}})
        with h5py.File(result, "r") as file:
            volts = values(file, "data/voltage")
        held = volts[2500::5000]
        assert numpy.allclose(held[:10], numpy.arange(500, 2301, 200) / 1000, atol=0.005), held
        assert numpy.allclose(held[:10], held[10:], atol=0.005), held


def test_storages_are_built_and_swept():
    with tempfile.TemporaryDirectory() as folder:
        experiment = emulate(duration="1 s")
        experiment["defaults"]["source"]["storage"] = {
            "build": "supercapacitor", "C_uF": 100, "V_rated_mV": 5500, "R_series_Ohm": 2,
            "R_leak_Ohm": 1e6}
        swept = [json.loads(line) for line in herd(
            folder, experiment, "-e", SKY, "--json", "-S", "storage.C_uF=33,100").splitlines()]
        alone = json.loads(herd(folder, experiment, "-e", SKY, "--json"))
        assert swept[1]["V_store_min_V"] == alone["V_store_min_V"] != swept[0]["V_store_min_V"]
        experiment["defaults"]["source"]["storage"] = {"build": "lipo", "capacity_mAh": 12}
        lipo = json.loads(herd(folder, experiment, "-e", SKY, "--json"))
        assert 3.7 < lipo["V_store_end_V"] < 4.2, lipo


def test_a_recorded_harvest_is_an_input_of_any_compression():
    with tempfile.TemporaryDirectory() as folder:
        energies = []
        for compression in ("none", "gzip-1"):
            experiment = harvest()
            experiment["defaults"]["record"] = {"compression": compression}
            path = os.path.join(folder, compression + ".h5")
            herd(folder, experiment, "-e", SKY, "-o", path)
            experiment = emulate(input=path)
            del experiment["duration"]
            energies.append(json.loads(herd(folder, experiment, "--json")))
            assert energies[-1].pop("wall_s") > 0
            assert energies[-1]["n_samples"] == 100000
        assert energies[0] == energies[1]


def test_interrupted_it_leaves_nothing():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "experiment.yaml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(harvest(duration="1 h"), file)
        for words in (["-o", "r.h5", "-c", "r.csv"],
                      ["-S", "voltage_step_mV=5.5,6,7"]):
            process = subprocess.Popen([HERD, "simulate", path, "-e", SKY, *words], cwd=folder,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       start_new_session=True)
            if "-o" in words:
                harness.wait_for("a growing log",
                                 lambda: os.path.isdir(os.path.join(folder, "r.h5.rlog")))
            else:
                harness.wait_for("variants", lambda: children(process.pid))
            os.killpg(process.pid, signal.SIGINT)
            _, text = process.communicate(timeout=20)
            assert process.returncode == 130 and b"interrupted" in text, (process, text)
            assert os.listdir(folder) == ["experiment.yaml"], os.listdir(folder)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()


def test_examples_run_under_a_sky():
    example = os.path.join(INVENTORY, "experiments", "solar-day.yaml")
    inventory = os.path.join(INVENTORY, "example-herd.yml")
    day = os.path.join(INVENTORY, "environments", "day.csv")
    with tempfile.TemporaryDirectory() as folder:
        energies = {}
        for node in ("sheep0", "sheep2"):
            done = subprocess.run([HERD, "-i", inventory, "simulate", example, "-e", day, "-b",
                                   "10h", "-d", "1 s", "-n", node, "--json"], text=True,
                                  capture_output=True, timeout=60, check=False, cwd=folder)
            assert done.returncode == 0, done.stdout + done.stderr
            energies[node] = json.loads(done.stdout)
        assert energies["sheep0"]["V_store_end_V"] != energies["sheep2"]["V_store_end_V"]


def test_shepherds_own_task_runs():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hrv.h5")
        herd(folder, harvest(), "-e", SKY, "-o", path)
        task = {"datatype": "EmulationTask", "parameters": {
            "input_path": path, "duration": 1,
            "virtual_source": {"inherit_from": "BQ25570s", "C_intermediate_uF": 22}}}
        ours = emulate(input=path, duration="1 s")
        ours["defaults"]["source"]["C_intermediate_uF"] = 22
        theirs = json.loads(herd(folder, task, "--json"))
        same = json.loads(herd(folder, ours, "--json"))
        assert theirs.pop("wall_s") > 0 and same.pop("wall_s") > 0
        assert theirs == same


def test_errors_name_what_is_wrong_and_leave_nothing():
    with tempfile.TemporaryDirectory() as folder:
        sky = os.path.join(folder, "sky.csv")
        with open(sky, "w", encoding="ascii") as file:
            file.write("time_s,irradiance_W_per_m2\n0,1\n5,x\n")
        text = herd(folder, harvest(), "-e", sky, "-o", "r.h5", status=2)
        assert "sky.csv:3: not a row of numbers" in text, text
        text = herd(folder, emulate("BQ2557O"), "-e", SKY, status=2)
        assert "experiment.yaml" in text and "BQ2557O" in text, text
        text = herd(folder, harvest(duration="0 s"), "-e", SKY, status=2)
        assert "experiment.yaml:" in text, text
        text = herd(folder, emulate(), "-e", SKY, "-S", "C_intermediate=1", status=2)
        assert "C_intermediate" in text, text
        assert sorted(os.listdir(folder)) == ["experiment.yaml", "sky.csv"], os.listdir(folder)


if __name__ == "__main__":
    harness.main(globals())
