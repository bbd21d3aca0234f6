"""The colours of the app, for a light and a dark room, and the arithmetic that proves they can be read.

Text on its ground has at least 4.5:1 (WCAG 2.2 AA), drawn shapes at least 3:1; a test computes every pair of `PAIRS`.
Hues of the history and of the entities follow Okabe and Ito, told apart by people with any colour vision.
"""

from __future__ import annotations

LIGHT = {
    "background": "#F4F7F8",
    "surface": "#FFFFFF",
    "sunken": "#E8EEF0",
    "outline": "#C9D3D7",
    "edge": "#6B7B83",
    "text": "#162126",
    "quiet": "#4B5A62",
    "primary": "#0A5F6B",
    "primary_ink": "#FFFFFF",
    "tint": "#D3ECEF",
    "tint_ink": "#053F47",
    "mark": "#8A4B00",
    "danger": "#A8201A",
    "danger_tint": "#FBE4E2",
    "good": "#176B3A",
    "warn": "#7A4B00",
    "bar": "#FFFFFF",
    "scrim": "#0B1215",
    "toast": "#22303A",
    "toast_ink": "#F2F6F8",
    "entity_tumour": "#A33B00",
    "entity_extent": "#9B1D64",
    "entity_biomarker": "#0A58A0",
    "entity_treatment": "#0B6B4B",
    "entity_course": "#6A4A00",
    "entity_context": "#4E5B62",
    "lane_diagnosis": "#0A6EB4",
    "lane_surgery": "#0B8A63",
    "lane_radiotherapy": "#7A5AC8",
    "lane_chemotherapy": "#B86E00",
    "lane_hormonotherapy": "#A9760F",
    "lane_targeted": "#C05A1C",
    "lane_immunotherapy": "#1F82A5",
    "lane_events": "#C22F0C",
    "lane_biology": "#8A3F8F",
    "lane_samples": "#66757D",
}

DARK = {
    "background": "#0E1417",
    "surface": "#182125",
    "sunken": "#222D32",
    "outline": "#35434A",
    "edge": "#83949C",
    "text": "#E6ECEF",
    "quiet": "#AAB8BF",
    "primary": "#79D0DC",
    "primary_ink": "#00333A",
    "tint": "#12474F",
    "tint_ink": "#CDEEF2",
    "mark": "#FFC46B",
    "danger": "#FFB4AB",
    "danger_tint": "#4A1F1C",
    "good": "#84D8A4",
    "warn": "#F2C063",
    "bar": "#141C20",
    "scrim": "#000000",
    "toast": "#DDE5E9",
    "toast_ink": "#1A2428",
    "entity_tumour": "#FFA66B",
    "entity_extent": "#F59AC8",
    "entity_biomarker": "#8CC4FF",
    "entity_treatment": "#74D9AE",
    "entity_course": "#EBC467",
    "entity_context": "#B5C1C7",
    "lane_diagnosis": "#5FB4F0",
    "lane_surgery": "#44C99B",
    "lane_radiotherapy": "#B7A2F2",
    "lane_chemotherapy": "#F0AE3C",
    "lane_hormonotherapy": "#D9C24A",
    "lane_targeted": "#FF9A5C",
    "lane_immunotherapy": "#66CBE8",
    "lane_events": "#FF7A57",
    "lane_biology": "#E3A4E6",
    "lane_samples": "#A3B1B8",
}

SCHEMES = {"light": LIGHT, "dark": DARK}
TEXT_PAIRS = [
    *[(ink, ground) for ink in ("text", "quiet") for ground in ("background", "surface", "sunken", "bar")],
    *[(ink, ground) for ink in ("primary", "danger", "good", "warn", "mark") for ground in ("background", "surface")],
    ("primary_ink", "primary"),
    ("tint_ink", "tint"),
    ("danger", "danger_tint"),
    ("toast_ink", "toast"),
    *[(name, "surface") for name in LIGHT if name.startswith("entity_")],
]
SHAPE_PAIRS = [
    *[(name, ground) for name in LIGHT if name.startswith("lane_") for ground in ("surface", "sunken")],
    ("edge", "surface"),
    ("edge", "background"),
]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours `#RRGGBB`, 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def blend(ink: str, ground: str, share: float) -> str:
    """`ink` laid over `ground` with opacity `share`, as `#RRGGBB`."""
    mixed = (round(a * share + b * (1 - share)) for a, b in zip(_channels(ink), _channels(ground), strict=True))
    return "#" + "".join(f"{channel:02X}" for channel in mixed)


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in _channels(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
