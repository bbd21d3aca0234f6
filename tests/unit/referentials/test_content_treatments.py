"""Treatments in the words of French reports: drugs, protocols and acts, complete, right, and not found elsewhere."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from consore.errors import ConfigurationError
from consore.model import TreatmentType
from consore.referentials import Concept, Terminology, terminology
from consore.referentials.acts import classify
from consore.referentials.expansion import surface_forms
from consore.referentials.reading import read_systems
from consore.settings import shipped_referentials
from consore.text import fold


@pytest.fixture(scope="module")
def known() -> Terminology:
    return terminology()


def found(known: Terminology, text: str, *kinds: str) -> list[str | None]:
    return [match.code for match in known.match(text) if match.kind in kinds]


def rows(folder: str, name: str) -> list[dict[str, str]]:
    with (shipped_referentials() / folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def substances(known: Terminology) -> list[Concept]:
    return [drug for drug in known.concepts("ATC", "drug") if len(drug.code) == 7 or "+" in drug.code]


# How much there is


def test_the_drugs_of_oncology_and_of_its_care_are_there_with_their_class(known: Terminology) -> None:
    against_cancer = [drug for drug in substances(known) if drug.code.startswith(("L01", "L02", "L03", "V10"))]
    assert len(against_cancer) >= 500
    assert len(substances(known)) >= 850
    assert not [drug.code for drug in substances(known) if not drug.attributes.get("class")]
    years = [int(drug.attributes["approved"]) for drug in substances(known) if "approved" in drug.attributes]
    assert len(years) >= 120
    assert all(2015 <= year <= 2026 for year in years)


def test_terms_say_what_they_are_and_a_thousand_are_brands() -> None:
    kinds = Counter(row["type"] for row in rows("drugs", "terms.csv"))
    assert set(kinds) <= {"label", "synonym", "brand", "abbreviation", "misspelling"}
    assert kinds["brand"] >= 950
    assert kinds["misspelling"] >= 250


def test_four_hundred_protocols_name_known_drugs(known: Terminology) -> None:
    protocols = known.concepts(kind="regimen")
    assert len(protocols) >= 400
    for protocol in protocols:
        assert known.regimen(protocol.code), protocol.code
        assert all(known.drug(atc) for _, atc in known.regimen(protocol.code)), protocol.code
        assert known.treatment_type_of_regimen(protocol.code) is not TreatmentType.OTHER, protocol.code


def test_every_act_has_a_kind_and_most_an_organ(known: Terminology) -> None:
    acts = known.concepts("CCAM", "procedure")
    kinds = Counter(act.attributes.get("act") for act in acts)
    assert len(acts) >= 2000
    assert None not in kinds
    for kind in ("surgery", "radiotherapy", "biopsy", "endoscopy", "transplant", "drainage", "catheter"):
        assert kinds[kind] > 0, kind
    assert {"reconstruction", "node_dissection", "imaging", "interventional", "pathology"} <= set(kinds)
    sites = [act.attributes["site"] for act in acts if "site" in act.attributes]
    assert len(sites) >= 1500
    assert not [site for site in set(sites) if not known.concept("ICD-O-3-T", site)]


# No name stands for two things


@pytest.mark.parametrize("folders", [("drugs", "regimens"), ("procedures",)])
def test_a_name_stands_for_one_concept_only(folders: tuple[str, ...]) -> None:
    claimed: dict[str, set[tuple[str, str]]] = {}
    for system in read_systems(shipped_referentials()):
        if system.folder in folders:
            for term in system.terms:
                for form in surface_forms(term):
                    written = form if term.form == "case" else ""
                    claimed.setdefault(" ".join(fold(form).split()), set()).add((term.code, written))
    torn = {form: codes for form, codes in claimed.items() if len({code for code, _ in codes}) > 1}
    assert not torn


def test_codes_that_the_public_drug_base_publishes_name_the_same_substance(
    known: Terminology, shared_data: Path
) -> None:
    folder = shared_data / "referentials" / "bdpm"
    substances_of: dict[str, str] = {}
    for line in (folder / "CIS_COMPO_bdpm.txt").read_text(encoding="utf-8").splitlines():
        cells = line.split("\t")
        if len(cells) > 3:
            substances_of[cells[0]] = f"{substances_of.get(cells[0], '')} {fold(cells[3])}"
    published: dict[str, str] = {}
    for line in (folder / "CIS_MITM.txt").read_text(encoding="utf-8").splitlines():
        cells = line.split("\t")
        if len(cells) > 2:
            published[cells[1]] = f"{published.get(cells[1], '')} {fold(cells[2])} {substances_of.get(cells[0], '')}"
    wrong, checked = [], 0
    for drug in substances(known):
        if drug.code in published:
            checked += 1
            words = [word for word in fold(drug.label).split() if len(word) > 3 and word != "acide"]
            names = [fold(name) for name in drug.synonyms]
            written = published[drug.code]
            if not any(word[:6] in written for word in words) and not any(name in written for name in names):
                wrong.append((drug.code, drug.label))
    assert checked >= 400
    assert not wrong


# Brand, INN, class

_SINCE_2015 = """
Tagrisso L01EB04 | Keytruda L01FF02 | Opdivo L01FF01 | Imfinzi L01FF03 | Tecentriq L01FF05 | Bavencio L01FF04
Libtayo L01FF06 | Jemperli L01FF07 | Zynyz L01FF10 | Tevimbra L01FF09 | Ibrance L01EF01 | Kisqali L01EF02
Verzenios L01EF03 | Lorviqua L01ED05 | Alunbrig L01ED04 | Alecensa L01ED03 | Braftovi L01EC03 | Mektovi L01EE03
Enhertu L01FD04 | Trodelvy L01FX17 | Padcev L01FX13 | Datroway L01FX35 | Elahere L01FX26 | Tivdak L01FX23
Polivy L01FX14 | Zynlonta L01FX22 | Blenrep L01FX15 | Besponsa L01FB01 | Darzalex L01FC01 | Sarclisa L01FC02
Tecvayli L01FX24 | Elrexfio L01FX32 | Talvey L01FX29 | Columvi L01FX28 | Tepkinly L01FX27 | Lunsumio L01FX25
Kimmtrak L01XX75 | Rybrevant L01FX18 | Lazcluze L01EB09 | Lumykras L01XX73 | Krazati L01XX77 | Venclyxto L01XX52
Lynparza L01XK01 | Zejula L01XK02 | Talzenna L01XK04 | Akeega L01XK52 | Erleada L02BB05 | Nubeqa L02BB06
Orgovyx L02BX04 | Orserdu L02BA04 | Truqap L01EX27 | Piqray L01EM03 | Kymriah L01XL04 | Yescarta L01XL03
Carvykti L01XL05 | Abecma L01XL07 | Breyanzi L01XL08 | Tecartus L01XL06 | Pluvicto V10XX05 | Lutathera V10XX04
Reblozyl B03XA06 | Akynzeo A04AA55 | Vyloy L01FX31 | Fruzaqla L01EK04 | Calquence L01EL02 | Jaypirca L01EL05
"""


@pytest.mark.parametrize(
    "pair", [pair.strip() for line in _SINCE_2015.split("\n") for pair in line.split("|") if pair.strip()]
)
def test_a_drug_approved_since_2015_is_found_by_its_brand_and_by_its_inn(known: Terminology, pair: str) -> None:
    brand, code = pair.split()
    assert found(known, f"Traitement par {brand}® en cours.", "drug") == [code]
    assert found(known, f"sous {known.label('ATC', code)}.", "drug") == [code]


@pytest.mark.parametrize(
    "inn",
    [
        *("obécabtagène autoleucel", "linvoseltamab", "zanidatamab", "tarlatamab", "ivonescimab", "sunvozertinib"),
        *("firmonertinib", "taletrectinib", "zongertinib", "sévabertinib", "révuménib", "ziftoménib", "imlunestrant"),
        *("camizestrant", "vepdégestrant", "inavolisib", "vorasidenib", "télisotuzumab védotine", "zénocutuzumab"),
        *("sacituzumab tirumotécan", "penpulimab", "cosibélimab", "lifileucel", "afamitresgène autoleucel"),
        *("nadofaragène firadénovec", "trilaciclib", "éflapegrastim", "mirdamétinib", "nirogacestat", "imételstat"),
        *("patritumab déruxtécan", "divarasib", "daraxonrasib", "vimseltinib", "avutométinib", "dordaviprone"),
    ],
)
def test_the_newest_drugs_are_found_and_are_treatments(known: Terminology, inn: str) -> None:
    codes = found(known, f"Inclusion : {inn} J1.", "drug")
    assert len(codes) == 1
    known_code = codes[0]
    assert known_code
    drug = known.drug(known_code)
    assert drug
    assert drug.attributes.get("class")


def test_a_brand_leads_to_its_inn_and_its_class(known: Terminology) -> None:
    (code,) = found(known, "Perfusion d'Enhertu", "drug")
    assert code
    drug = known.drug(code)
    assert drug
    assert (drug.label, drug.attributes["class"], drug.attributes["target"]) == (
        "trastuzumab déruxtécan",
        "anticorps conjugué anti-HER2",
        "ERBB2",
    )
    assert known.ancestors("ATC", code)[:2] == ["L01FD", "L01F"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("anti-PD1", "L01FF"),
        ("un inhibiteur de CDK4/6", "L01EF"),
        ("double blocage anti-HER2", "L01FD"),
        ("les TKI", "L01E"),
        ("anti-EGFR", "L01FE"),
        ("sels de platine", "L01XA"),
        ("après taxanes", "L01CD"),
        ("anthracyclines", "L01DB"),
        ("inhibiteurs de PARP", "L01XK"),
        ("analogue de LH-RH", "L02AE"),
        ("antiémétiques", "A04A"),
        ("bisphosphonates", "M05BA"),
        ("corticothérapie", "H02A"),
    ],
)
def test_a_class_of_drugs_is_found_in_the_words_of_a_letter(known: Terminology, text: str, code: str) -> None:
    assert found(known, text, "drug") == [code]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("herceptine", "L01FD01"),
        ("avastine", "L01FG01"),
        ("pembrolizumad", "L01FF02"),
        ("ketruda", "L01FF02"),
        ("gemcytabine", "L01BC05"),
        ("oxalyplatine", "L01XA03"),
        ("anastrazole", "L02BG03"),
        ("palbocyclib", "L01EF01"),
        ("témozolamide", "L01AX03"),
        ("cisplatin", "L01XA01"),
        ("doxorubicin", "L01DB01"),
        ("AZD9291", "L01EB04"),
        ("DS-8201", "L01FD04"),
        ("hydroxyurée", "L01XX05"),
    ],
)
def test_a_slip_an_english_name_or_a_code_name_is_the_same_drug(known: Terminology, written: str, code: str) -> None:
    assert found(known, f"sous {written} depuis mars", "drug") == [code]


# Protocols


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("mFOLFOX6", "REG:FOLFOX"),
        ("CAPOX", "REG:XELOX"),
        ("NALIRIFOX", "REG:NALIRIFOX"),
        ("carbo-pem-pembro", "REG:CARBO_PEM_PEMBRO"),
        ("protocole BEACON", "REG:ENCO_CETUX"),
        ("schéma CROSS", "REG:CROSS"),
        ("ddMVAC", "REG:MVAC"),
        ("azacitidine-vénétoclax", "REG:AZA_VEN"),
        ("induction par 3+7", "REG:7_3"),
        ("FLAG-Ida", "REG:FLAG_IDA"),
        ("3 cures de FLAG", "REG:FLAG"),
        ("protocole GRAALL 2014", "REG:GRAALL"),
        ("MATRix", "REG:MATRIX"),
        ("DA-EPOCH-R", "REG:DA_EPOCH_R"),
        ("R-DHAX", "REG:R_DHAOX"),
        ("Pola-R-CHP", "REG:POLA_R_CHP"),
        ("R-mini-CHOP", "REG:R_MINICHOP"),
        ("Isa-KRd", "REG:ISA_KRD"),
        ("D-VTd", "REG:DVTD"),
        ("OEPA puis COPDAC", "REG:OEPA"),
        ("rapid COJEC", "REG:COJEC"),
        ("conditionnement BuMel", "REG:BUMEL"),
        ("KEYNOTE-522", "REG:KEYNOTE522"),
        ("FEC-TH", "REG:FEC_TH"),
        ("EDP-mitotane", "REG:EDP_M"),
        ("INAVO120", "REG:INAVO_PALBO_FULV"),
        ("zanidatamab-CAPOX", "REG:ZANI_XELOX"),
        ("DHAP", "REG:DHAP"),
        ("CLAG", "REG:CLAG"),
        ("API-AI", "REG:API_AI_OS"),
    ],
)
def test_a_protocol_is_found_by_the_names_that_wards_use(known: Terminology, text: str, code: str) -> None:
    assert found(known, f"Patient traité par {text}.", "regimen")[0] == code


@pytest.mark.parametrize(
    ("protocol", "drugs"),
    [
        ("REG:R_DHAOX", {"rituximab", "dexaméthasone", "cytarabine", "oxaliplatine"}),
        ("REG:DVRD", {"daratumumab", "bortézomib", "lénalidomide", "dexaméthasone"}),
        ("REG:COPDAC", {"cyclophosphamide", "vincristine", "prednisone", "dacarbazine"}),
        ("REG:CROSS", {"carboplatine", "paclitaxel"}),
        ("REG:MATRIX", {"méthotrexate", "cytarabine", "thiotépa", "rituximab"}),
        ("REG:HER2CLIMB", {"tucatinib", "trastuzumab", "capécitabine"}),
        ("REG:INAVO_PALBO_FULV", {"inavolisib", "palbociclib", "fulvestrant"}),
        ("REG:BOT_BAL", {"botensilimab", "balstilimab"}),
        ("REG:VUSO_NIVO", {"vusolimogène oderparepvec", "nivolumab"}),
        ("REG:PCDE", {"cisplatine", "cyclophosphamide", "épirubicine", "étoposide"}),
        ("REG:API_AI_OS", {"doxorubicine", "cisplatine", "ifosfamide"}),
    ],
)
def test_a_protocol_leads_to_its_drugs(known: Terminology, protocol: str, drugs: set[str]) -> None:
    assert {inn for inn, _ in known.regimen(protocol)} == drugs


@pytest.mark.parametrize(
    ("text", "with_rituximab"),
    [
        ("ICE", False),
        ("R-ICE", True),
        ("DHAP", False),
        ("R-DHAP", True),
        ("ACVBP", False),
        ("R-ACVBP", True),
        ("mini-CHOP", False),
        ("R-mini-CHOP", True),
        ("IVAC", False),
        ("R-IVAC", True),
        ("CHOEP", False),
        ("R-CHOEP", True),
        ("R-CYM", True),
        ("R-MINE", True),
        ("CODOX-M/IVAC", False),
        ("R-CODOX-M/IVAC", True),
    ],
)
def test_rituximab_is_given_only_where_the_protocol_says_so(
    known: Terminology, text: str, with_rituximab: bool
) -> None:
    (code,) = found(known, f"Rechute traitée par {text}.", "regimen")
    assert code
    assert ("L01FA01" in {atc for _, atc in known.regimen(code)}) is with_rituximab


@pytest.mark.parametrize(
    "text",
    [
        "résection R2, pT4N0",
        "TP 85 %, TCA normal",
        "Auscultation : AC régulière, pas de souffle",
        "dimensions 4 x 5 cm, TR x AP x CC",
        "il lui manque une team soudée",
        "un DVD lui a été remis",
        "déficit en DPD",
        "CMV positif en PCR",
        "score IPI : 3",
        "la smile de la patiente",
        "vitesse : 2 m/s VD non dilaté",
    ],
)
def test_initials_of_something_else_are_neither_a_protocol_nor_a_drug(known: Terminology, text: str) -> None:
    assert not found(known, text, "regimen", "drug")


@pytest.mark.parametrize(
    "text",
    ["cicatrice de BCG", "vaccination par le BCG", "EPO normale à 12", "DES cheveux", "DEX-Sévo", "insuline : 14 mU/l"],
)
def test_a_vaccine_or_a_dosage_is_not_a_treatment(known: Terminology, text: str) -> None:
    assert not found(known, text, "drug")


# Acts


@pytest.mark.parametrize(
    ("code", "label", "expected"),
    [
        ("QEFA019", "Mastectomie totale", {"treatment_type": "surgery", "act": "surgery", "site": "C50.9"}),
        (
            "HHFA009",
            "Colectomie droite, par laparotomie",
            {"treatment_type": "surgery", "act": "surgery", "site": "C18.2"},
        ),
        (
            "FCFA029",
            "Curage lymphonodal axillaire",
            {"treatment_type": "surgery", "act": "node_dissection", "site": "C77.3"},
        ),
        ("EBFA006", "Thromboendartériectomie de la bifurcation carotidienne", {"act": "surgery"}),
        ("LFFA002", "Exérèse d'une hernie discale lombale", {"act": "surgery", "site": "C41.2"}),
        ("QEFA002", "Exérèse bilatérale de gynécomastie", {"act": "surgery", "site": "C50.9"}),
        ("HLHB001", "Biopsie du foie, par voie transcutanée", {"act": "biopsy", "site": "C22.0"}),
        ("HEQE002", "Endoscopie oeso-gastro-duodénale", {"act": "endoscopy", "site": "C15.9"}),
        ("ZZMK001", "Préparation à une irradiation externe avec dosimétrie", {"act": "radiotherapy"}),
        (
            "JKNL001",
            "Curiethérapie intracavitaire utérovaginale",
            {"treatment_type": "radiotherapy", "act": "radiotherapy", "site": "C53.9"},
        ),
        (
            "HLEA001",
            "Transplantation de foie total",
            {"treatment_type": "transplant", "act": "transplant", "site": "C22.0"},
        ),
        (
            "HLNK001",
            "Destruction de tumeur hépatique par radiofréquence",
            {"treatment_type": "other", "act": "interventional", "site": "C22.0"},
        ),
        (
            "JAFA011",
            "Néphrectomie totale élargie avec thrombectomie cave",
            {"treatment_type": "surgery", "act": "surgery", "site": "C64.9"},
        ),
        ("ZZQX012", "Examen histopathologique de biopsies", {"act": "pathology"}),
        ("EPLF002", "Pose d'un cathéter veineux central", {"act": "catheter"}),
        ("HMLE002", "Pose d'une endoprothèse biliaire, par endoscopie", {"act": "drainage", "site": "C24.0"}),
        ("ZZQL016", "Tomoscintigraphie du corps entier par émission de positons", {"act": "imaging"}),
        (
            "HPLA335",
            "Administration intrapéritonéale d'agent anticancéreux [Chimiohyperthermie]",
            {"treatment_type": "chemotherapy", "act": "interventional", "site": "C48.2"},
        ),
    ],
)
def test_an_act_tells_its_kind_its_organ_and_whether_it_treats(code: str, label: str, expected: dict[str, str]) -> None:
    assert classify(label, code) == expected


def test_the_rules_give_every_shipped_act_its_attributes(known: Terminology) -> None:
    differing = [
        act.code for act in known.concepts("CCAM", "procedure") if classify(act.label, act.code) != act.attributes
    ]
    assert not differing


def test_an_act_that_nothing_describes_has_no_attribute() -> None:
    assert classify("Forfait de sécurité", "YYYY999") == {}


def test_a_rule_that_is_no_pattern_is_named(tmp_path: Path) -> None:
    rules = tmp_path / "rules.csv"
    rules.write_text("code,label,act,treatment_type,site,why\n,(biopsie,biopsy,-,,x\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"\(biopsie"):
        classify("Biopsie du foie", "HLHB001", rules)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("pose de PAC sous-clavier droit", "PROC:port"),
        ("PICC-line posée", "PROC:port"),
        ("mammectomie gauche", "PROC:mastectomy"),
        ("masectomie", "PROC:mastectomy"),
        ("SBRT sur deux lésions", "PROC:stereotactic"),
        ("une stéréotaxie pulmonaire", "PROC:stereotactic"),
        ("curithérapie", "PROC:brachytherapy"),
        ("autogreffe en tandem", "PROC:autograft"),
        ("cimentoplastie de L2", "PROC:cementoplasty"),
        ("montée de sonde JJ", "PROC:urinary_diversion"),
        ("cytoréduction complète", "PROC:peritonectomy"),
        ("thermoablation par micro-ondes", "PROC:ablation"),
        ("énucléation de l'œil", "PROC:enucleation"),
        ("TEP au 68Ga-PSMA", "PROC:imaging_pet"),
        ("lavage broncho-alvéolaire", "PROC:cytology"),
        ("néovessie", "PROC:cystectomy"),
    ],
)
def test_an_act_is_found_in_everyday_words(known: Terminology, text: str, code: str) -> None:
    assert found(known, text, "procedure") == [code]


@pytest.mark.parametrize("text", ["triple PAC en 2010", "schéma PAC", "maladie de Whipple", "drainage veineux normal"])
def test_words_of_another_trade_are_not_acts(known: Terminology, text: str) -> None:
    assert not found(known, text, "procedure")


def test_mending_a_bone_or_closing_a_stoma_is_not_a_treatment_of_the_cancer(known: Terminology) -> None:
    for code in ("PROC:osteosynthesis", "PROC:continuity", "PROC:cementoplasty", "PROC:drainage"):
        assert known.treatment_type_of_act(code) is TreatmentType.OTHER
    for code in ("PROC:imaging_xray", "PROC:frozen_section", "PROC:ercp"):
        assert known.treatment_type_of_act(code) is None
