"""Letters that mean several things are read by the words beside them."""

import pytest

from consore.referentials import Terminology, terminology


@pytest.fixture(scope="module")
def known() -> Terminology:
    return terminology()


def codes(known: Terminology, text: str) -> set[str]:
    return {match.code for match in known.match(text) if match.code}


def covered(known: Terminology, text: str, word: str) -> list[tuple[str, str | None]]:
    """What was found in exactly the letters of `word`."""
    start = text.index(word)
    return [(m.kind, m.code) for m in known.match(text) if (m.start, m.end) == (start, start + len(word))]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ACE à 12 ng/ml avant la cure", "ACE"),
        ("Tumeur du sein gauche de 2 cm", "C50.9"),
        ("Envahissement de l'os iliaque", "C41.4"),
        ("Métastases des os et du foie", "C41.9"),
        ("RE 90 %, RP 40 %, HER2 négatif", "ER"),
        ("RE+ RP- HER2 0", "PR"),
        ("RH positifs", "HR"),
        ("traitement par IPP", "A02BC"),
        ("patient en SD après 4 cycles", "RESP:stable"),
        ("carcinome canalaire infiltrant EEII", "GRADE:2"),
        ("technique du ganglion sentinelle (BGS)", "PROC:sentinel_node"),
        ("cellules CART anti-CD19", "L01XL"),
        ("4 cycles de TC adjuvants", "REG:TC"),
        ("3 EC100 puis 9 taxol hebdomadaires", "REG:EC"),
        ("protocole EC x 4", "REG:EC"),
        ("4 cures d'AC adjuvantes", "REG:AC"),
        ("chimiothérapie par EP, 3 cycles", "REG:EP"),
        ("chimiothérapie selon le protocole AP", "REG:API"),
        ("3 cycles de TAC", "REG:TAC"),
        ("conditionnement par BEAM", "REG:BEAM"),
        ("Mutation de MET exon 14", "MET"),
        ("réarrangement de RET", "RET"),
        ("mutation du gène KIT", "KIT"),
        ("mutation RAS négative", "RAS"),
        ("LAM à caryotype complexe", "9861/3"),
        ("CHC sur cirrhose", "8170/3"),
        ("CCI de grade 2", "8500/3"),
        ("LH classique de stade II", "9650/3"),
        ("un K du sein traité en 2010", "8000/3"),
        ("PSA à 4,5 ng/ml", "PSA"),
        ("score PD-L1 : TPS 60 %", "PDL1"),
        ("PD-L1 CPS 10", "PDL1"),
        ("instillations de BCG", "L03AX03"),
        ("traitement par TAM pendant cinq ans", "L02BA01"),
        ("traitement par cellules CAR-T", "L01XL"),
        ("carcinome du col utérin", "C53.9"),
        ("tumeur du col de l'utérus", "C53.9"),
        ("lésion de la base de langue", "C01.9"),
        ("tumeur de la main droite", "C76.4"),
        ("récidive locale à deux ans", "REC:local"),
        ("stade IV d'emblée", "STAGE:IV"),
        ("grade 3 histologique", "GRADE:3"),
        ("chimiothérapie par FLAG-ida", "REG:FLAG_IDA"),
        ("curage axillaire gauche", "PROC:axillary_dissection"),
        ("radiothérapie du sein gauche", "C50.9"),
        ("cancer du sein", "C50.9"),
    ],
)
def test_the_word_of_oncology_is_understood(known: Terminology, text: str, code: str) -> None:
    assert code in codes(known, text)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("traité par ACE pour son hypertension", "ACE"),
        ("inhibiteur de l'ACE (enzyme de conversion)", "ACE"),
        ("au sein de l'équipe", "sein"),
        ("au sein du service", "sein"),
        ("prise en charge au sein d'une unité", "sein"),
        ("mis au sein dès la naissance", "sein"),
        ("morphine IV toutes les 4 heures", "IV"),
        ("perfusion IV de 2 heures", "IV"),
        ("voie IV périphérique", "IV"),
        ("T4 libre 12 pmol/l", "T4"),
        ("TSH et T4 normales", "T4"),
        ("fracture de T4", "T4"),
        ("tassement de T4-T5", "T4"),
        ("il va mieux or il reste fatigué", "or"),
        ("OS médiane de 12 mois", "OS"),
        ("OS 24 mois et PFS 12 mois", "OS"),
        ("groupe sanguin A RH positif", "RH"),
        ("analogue de la LH-RH", "RH"),
        ("TC cérébral normal", "TC"),
        ("TC avec perte de connaissance", "TC"),
        ("traumatisme crânien (TC) en 2012", "TC"),
        ("ECBU et EC négatifs", "EC"),
        ("pouls régulier, AC irrégulière", "AC"),
        ("AC/FA paroxystique", "AC"),
        ("EP bilatérale sous anticoagulants", "EP"),
        ("suspicion d'EP", "EP"),
        ("TP 85 %, TCA normal", "TP"),
        ("AP 43 % et INR 1,9", "AP"),
        ("AP : alvéolite", "AP"),
        ("RE-évaluation à trois mois", "RE"),
        ("Auscultation RAS", "RAS"),
        ("examen RAS", "RAS"),
        ("espace PR normal à l'ECG", "PR"),
        ("Dr PR Martin", "PR"),
        ("le 12 mars 2020", "mars"),
        ("rendez-vous le 4 mars", "mars"),
        ("FSH et LH normales", "LH"),
        ("analogue de la LH-RH", "LH"),
        ("potassium K 4,2 mmol/l", "K"),
        ("vaccin BCG à jour", "BCG"),
        ("vaccination par le BCG", "BCG"),
        ("TA systolique (TAS) et TA moyenne (TAM)", "TAM"),
        ("arbre de classification (CART) des patients", "CART"),
        ("thérapie d'acceptation et d'engagement (ACT)", "ACT"),
        ("dysplasie corticale focale (DCF)", "DCF"),
        ("indice paquet-année (IPP) de 15", "IPP"),
        ("déficit en DPD", "DPD"),
        ("activité DPD normale", "DPD"),
        ("max 3 comprimés par jour", "max"),
        ("en tout temps, tps de saignement", "tps"),
        ("2 cps le matin", "cps"),
        ("voie orale", "orale"),
        ("chimiothérapie orale", "orale"),
        ("humeur et versant thymique", "thymique"),
        ("langue maternelle française", "langue"),
        ("examen à la main", "main"),
        ("col du fémur fracturé", "col"),
        ("neuropathie de grade 2", "grade 2"),
        ("bonne progression de la marche", "progression"),
        ("met en évidence une lésion", "met"),
        ("il se met à marcher", "met"),
        ("kit de soins", "kit"),
        ("vide total", "vide"),
        ("drapeau flag", "flag"),
        ("extrême fatigue", "extrême"),
        ("tac tac", "tac"),
        ("tip top", "tip"),
        ("map du service", "map"),
        ("VIP du congrès", "VIP"),
        ("MS stable à la marche", "MS"),
        ("membres supérieurs (MS) libres", "MS"),
        ("CA de l'hôpital", "CA"),
        ("CIN du patient vérifiée", "CIN"),
        ("un verre de VIN", "VIN"),
        ("verre de vin", "vin"),
        ("code CIS du médicament", "CIS"),
        ("IPP : 123456789", "IPP"),
        ("force conservée aux EEII", "EEII"),
        ("poussée de RCH sous mésalazine", "RCH"),
        ("syndrome de Diogène (SD)", "SD"),
        ("moyenne 3,2 (SD 0,4)", "SD"),
        ("seringue BGS", "BGS"),
        ("essais contrôlés randomisés (RCT)", "RCT"),
        ("titulaire d'un CAP de menuisier", "CAP"),
        ("fracture classée AO/ATO", "ATO"),
    ],
)
def test_the_same_letters_elsewhere_are_nothing(known: Terminology, text: str, word: str) -> None:
    assert covered(known, text, word) == []
