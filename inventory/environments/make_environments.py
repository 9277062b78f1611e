#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the synthetic environments of this folder; the same numbers every time."""
import math
import os
import random

FOLDER = os.path.dirname(os.path.abspath(__file__))


def write(name, rows):
    with open(os.path.join(FOLDER, name), "w", encoding="ascii") as file:
        file.write("time_s,irradiance_W_per_m2,temperature_C\n")
        for time_s, irradiance, temperature in rows:
            file.write(f"{time_s:g},{irradiance:.1f},{temperature:.1f}\n")


def clear_sky(hour):
    """A day in June at 51 degrees: sunrise at 5, sunset at 21, 900 W/m2 at noon."""
    if not 5 < hour < 21:
        return 0.0
    return 900.0 * math.sin(math.pi * (hour - 5) / 16) ** 1.3


def day():
    """One value a minute; clouds come and go between ten and four."""
    chance = random.Random(20260621)
    cover = 0.0
    rows = []
    for minute in range(24 * 60 + 1):
        hour = minute / 60
        goal = chance.choice([0.0, 0.2, 0.75]) if 10 < hour < 16 else 0.05
        if minute % 7 == 0:
            target = goal
        cover += (target - cover) * 0.4
        temperature = 14 + 10 * math.exp(-((hour - 15) / 5.5) ** 2)
        rows.append((minute * 60, clear_sky(hour) * (1 - cover), temperature))
    return rows


def changing_sky():
    """Twenty seconds: sun, a cloud, sun, the shadow of a passer-by; 10 values a second."""
    rows = []
    for step in range(201):
        time_s = step / 10
        irradiance = 700 + 100 * math.sin(2 * math.pi * time_s / 5)
        if 1.2 < time_s % 4 < 2.2:
            irradiance *= 0.15
        if 3.0 < time_s % 7 < 3.3:
            irradiance = 20
        rows.append((time_s, irradiance, 25))
    return rows


if __name__ == "__main__":
    write("day.csv", day())
    write("changing_sky.csv", changing_sky())
