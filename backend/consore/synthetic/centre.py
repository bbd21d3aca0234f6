"""A whole fictional centre on disk: extracts in the formats that hospitals give, reports, and the truth beside."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from consore.synthetic import extracts, files
from consore.synthetic.documents import write_reports
from consore.synthetic.trajectory import draw_life


@dataclass(slots=True)
class GeneratedCentre:
    """What was written. `paths` by source kind (and `truth`); `counts` of each kind of row."""

    code: str
    name: str
    root: Path
    paths: dict[str, Path]
    counts: dict[str, int] = field(default_factory=dict)


def generate_centre(
    out: Path,
    *,
    code: str,
    name: str,
    patients: int,
    seed: int,
    split: str = "train",
    progress: Callable[[int, int], None] | None = None,
) -> GeneratedCentre:
    """Write a fictional centre under `out`/`code`; the same arguments give the same bytes.

    `split`: `train` or `test`; the two share no sentence template and no name of a patient or an author.
    `progress(done, patients)` is called after each patient.
    """
    if split not in ("train", "test"):
        raise ValueError(f"Unknown split {split!r}: 'train' or 'test'.")
    root = Path(out) / code
    (root / "documents").mkdir(parents=True, exist_ok=True)
    (root / "verite").mkdir(exist_ok=True)
    people, sheets, cures, samples, index, rss, links = [], [], [], [], [], [], []
    with (
        (root / "verite" / "patients.jsonl").open("w", encoding="utf-8") as histories,
        (root / "verite" / "documents.jsonl").open("w", encoding="utf-8") as truths,
    ):
        for number in range(1, patients + 1):
            rng = Random(f"{seed}/{split}/{code}/{number}")
            life = draw_life(rng, f"{code[:3].upper()}{seed % 1000:03d}{number:06d}", split)
            people.append(extracts.patient_row(life))
            sheets += extracts.sheet_rows(life, rng)
            cures += extracts.chemotherapy_rows(life)
            samples += extracts.sample_rows(life, rng)
            for stay, line in extracts.rss_lines(life, "340780493", len(rss) + 1):
                rss.append(line)
                links.append({"numero_rss": stay, "ipp": life.ipp})
            for report in write_reports(life, split, rng, len(index) + 1, name):
                file = _save(root / "documents", report.id, report.text, report.title, rng)
                index.append(
                    {
                        "id": report.id,
                        "ipp": report.ipp,
                        "type": report.label,
                        "titre": report.title,
                        "date": report.date.isoformat(),
                        "auteur": report.author,
                        "service": report.service,
                        "fichier": file,
                    }
                )
                truths.write(
                    _json(
                        {
                            "id": report.id,
                            "ipp": report.ipp,
                            "kind": report.kind,
                            "date": report.date.isoformat(),
                            "text": report.text,
                            "mentions": report.mentions,
                        }
                    )
                )
            histories.write(_json(extracts.truth_of_patient(life)))
            if progress:
                progress(number, patients)
    paths = {
        "administrative": root / "administratif.csv",
        "tumour_sheet": root / "fiches_tumeur.csv",
        "chemotherapy": root / "chimiotherapie.csv",
        "biobank": root / "biobanque.csv",
        "pmsi": root / "pmsi_rss.txt",
        "documents": root / "documents",
        "truth": root / "verite",
    }
    counts = {
        "patients": extracts.write_csv(paths["administrative"], extracts.PATIENTS, people),
        "tumour_sheets": extracts.write_csv(paths["tumour_sheet"], extracts.SHEETS, sheets),
        "chemotherapies": extracts.write_csv(paths["chemotherapy"], extracts.CHEMOTHERAPIES, cures),
        "samples": extracts.write_csv(paths["biobank"], extracts.SAMPLES, samples),
        "documents": extracts.write_csv(paths["documents"] / "index.csv", extracts.DOCUMENTS, index),
        "stays": extracts.write_csv(root / "pmsi_ano.csv", ["numero_rss", "ipp"], links),
    }
    paths["pmsi"].write_bytes("".join(line + "\r\n" for line in rss).encode("latin-1"))
    return GeneratedCentre(code, name, root, paths, counts)


def _save(folder: Path, document: str, text: str, title: str, rng: Random) -> str:
    dice = rng.random()
    if dice < 0.7:
        name, content = f"{document}.txt", files.as_txt(text)
    elif dice < 0.85:
        name, content = f"{document}.pdf", files.as_pdf(text, title)
    else:
        name, content = f"{document}.docx", files.as_docx(text, title)
    (folder / name).write_bytes(content)
    return name


def _json(item: dict[str, object]) -> str:
    return json.dumps(item, ensure_ascii=False) + "\n"
