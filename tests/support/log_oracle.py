# SPDX-License-Identifier: MIT
"""The truth of a run, from the recording logs on the nodes' disks, and what herd said of it.

Independent of the project's code: the log's format is common/rlog_format.h's. The digest over the
headers is computed here and must be the one in herd's manifest, and every payload must have the CRC
in its header, so that "valid" means: these very bytes are on the node's disk and have every sample."""
import glob
import hashlib
import os
import struct

import crcmod.predefined

crc32c = crcmod.predefined.mkCrcFun("crc-32c")
SEGMENT_HEADER = struct.Struct("<8sII16sII")
RECORD_HEADER = struct.Struct("<BBHIQII")
START = struct.Struct("<qqIIQQ")
END = struct.Struct("<QQQQQHBBI")  # reason; how full ring and queue were, in %
MAGIC = b"BWRLOG\r\n"
TYPE_START, TYPE_END, TYPE_SAMPLES = 1, 2, 3
STREAMS = {1: "voltage", 2: "current"}
END_COMPLETE = 0


class Log:
    """What the bytes of a log's segments say. A torn tail is where reading ends."""

    def __init__(self, segments):
        self.starts = []  # (T_ns, start_error_ns, arm_n)
        self.end = None   # (n_samples, n_gap_samples, reason)
        self.rows = {name: 0 for name in STREAMS.values()}
        self.is_contiguous = True
        self.is_torn = False
        self.headers = hashlib.blake2b(digest_size=32)
        for data in segments:
            self.read_segment(data)
        self.digest = self.headers.hexdigest()

    def read_segment(self, data):
        if len(data) < SEGMENT_HEADER.size or data[:8] != MAGIC:
            self.is_torn = True
            return
        at = SEGMENT_HEADER.size
        self.headers.update(data[:at])
        while at + RECORD_HEADER.size <= len(data):
            header = data[at:at + RECORD_HEADER.size]
            kind, stream, _, count, first, size, crc = RECORD_HEADER.unpack(header)
            at += RECORD_HEADER.size
            if kind == 0 or at + size > len(data) or crc32c(header[:-4] + data[at:at + size]) != crc:
                self.is_torn = True
                return
            self.headers.update(header)
            self.take(kind, stream, count, first, data[at:at + size])
            at += (size + 7) // 8 * 8

    def take(self, kind, stream, count, first, payload):
        if kind == TYPE_START:
            T_ns, error_ns, _, arm_n, _, _ = START.unpack_from(payload)
            self.starts.append((T_ns, error_ns, arm_n))
        elif kind == TYPE_END:
            n_samples, n_gaps, _, _, _, reason, _, _, _ = END.unpack_from(payload)
            self.end = (n_samples, n_gaps, reason)
        elif kind == TYPE_SAMPLES and stream in STREAMS:
            self.is_contiguous = self.is_contiguous and first == self.rows[STREAMS[stream]]
            self.rows[STREAMS[stream]] = first + count

    def is_whole(self, n_planned):
        return (self.end is not None and self.end == (n_planned, 0, END_COMPLETE)
                and self.is_contiguous and all(n == n_planned for n in self.rows.values()))

    def __str__(self):
        return f"starts {self.starts}, end {self.end}, rows {self.rows}"


def segments_of(folder):
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*.seg"))):
        with open(path, "rb") as file:
            yield file.read()


def logs_of(recordings, experiment):
    """All logs of an experiment on one node's disk, by its name's head."""
    return [Log(segments_of(path)) for path in
            sorted(glob.glob(os.path.join(glob.escape(recordings), f"{experiment}_*.rlog")))]


def kind_of(verdict):
    """valid, invalid, not started (refused, called off) or unknown."""
    for head, kind in (("valid", "valid"), ("invalid because it did not start", "not started"),
                       ("invalid", "invalid"), ("unknown", "unknown"),
                       ("refused", "not started"), ("not started", "not started")):
        if verdict.startswith(head):
            return kind
    raise AssertionError(f"what kind of verdict is '{verdict}'?")


def lies(verdict, T_ns, digest, logs, n_planned):
    """What is wrong with a verdict (None: herd said nothing was started) beside the disk: a list
    of sentences, empty for the truth. digest: of the log, as herd's manifest has it."""
    started = [log for log in logs if log.starts]
    kind = kind_of(verdict) if verdict is not None else "not started"
    found = []

    if sum(len(log.starts) for log in started) > 1:
        found.append(f"it started more than once: {[str(log) for log in started]}")
    if kind == "not started" and started:
        found.append(f"said '{verdict}', but it started: {started[0]}")
    if started and kind != "not started" and started[0].starts[0][0] != T_ns:
        found.append(f"started for {started[0].starts[0][0]}, but T was {T_ns}")
    if kind == "valid":
        if not started or not started[0].is_whole(n_planned):
            found.append(f"said '{verdict}', but its disk has {[str(log) for log in logs]}")
        elif started[0].digest != digest:
            found.append(f"said '{verdict}' of {digest}, but its disk has {started[0].digest}")
    if kind == "invalid" and started and started[0].is_whole(n_planned) \
            and "start" not in verdict and "clock" not in verdict:
        found.append(f"said '{verdict}', but its disk has every sample")
    if kind == "unknown":
        found.append(f"it can be heard again, and still is '{verdict}'")
    return found
