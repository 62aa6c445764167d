"""Designations and descriptions of made-up products, with the quirks of the real text.

HTML tags, entities, quotes, commas and line breaks inside fields; 35.09 % of descriptions are missing and no
designation is (FACTS).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

_MISSING_DESCRIPTIONS = 0.3509

# What a class sells, as its sellers would write it.
_NOUNS: dict[int, tuple[str, ...]] = {
    10: ("Roman ancien relié", "Livre d'histoire", "Essai philosophique", "Album jeunesse"),
    40: ("Jeu vidéo import", "Jeu console Pal", "Jeu d'aventure"),
    50: ("Manette sans fil", "Casque gamer", "Étui de protection pour console"),
    60: ("Console portable rétro", "Console de salon", "Mini console 8 bits"),
    1140: ("Figurine de collection", "Statuette", "Figurine articulée"),
    1160: ("Carte à collectionner", "Carte rare holo", "Lot de cartes"),
    1180: ("Figurines de wargame", "Livre de règles jeu de rôle", "Dés polyédriques"),
    1280: ("Peluche", "Cubes en bois", "Train en bois", "Pyramide à empiler"),
    1281: ("Jeu de société", "Jeu de plateau", "Coffret de jeux"),
    1300: ("Drone quadricoptère", "Voiture radiocommandée", "Maquette d'avion", "Moteur brushless"),
    1301: ("Chaussettes bébé", "Cible de fléchettes", "Boules de billard"),
    1302: ("Leurre de pêche", "Lampe torche Led", "Tente de camping", "Skateboard"),
    1320: ("Poussette pliable", "Biberon anti-colique", "Body bébé", "Sucette"),
    1560: ("Chaise de salle à manger", "Armoire 2 portes", "Canapé convertible", "Table basse"),
    1920: ("Housse de coussin", "Taie d'oreiller", "Parure de lit"),
    1940: ("Confiture artisanale", "Huile d'olive", "Café en grains", "Bonbons"),
    2060: ("Ampoule décorative", "Vase en verre", "Horloge murale", "Guirlande lumineuse", "Bougie parfumée"),
    2220: ("Manteau pour chien", "Gamelle", "Panier pour chat"),
    2280: ("Magazine", "Journal ancien", "Revue hebdomadaire"),
    2403: ("Lot de livres", "Série complète tomes 1 à 8", "Collection de romans"),
    2462: ("Lot console et jeux", "Lot de jeux vidéo", "Console + manettes"),
    2522: ("Carnet de notes", "Stylo plume", "Crayons de couleur", "Agenda"),
    2582: ("Parasol", "Salon de jardin", "Abri de jardin", "Hamac"),
    2583: ("Piscine hors sol", "Pompe de filtration", "Cartouche filtrante", "Tuyau de piscine"),
    2585: ("Marteau", "Scie égoïne", "Perceuse sans fil", "Tuyau d'arrosage", "Sécateur"),
    2705: ("Roman", "Essai", "Biographie", "Bande dessinée"),
    2905: ("Jeu PC à télécharger", "Clé d'activation jeu PC", "Extension à télécharger"),
}
_ADJECTIVES = (
    "neuf", "très bon état", "collector", "édition limitée", "haute qualité", "pas cher", "made in France", "original",
    "d'occasion", "pour enfant", "pour adulte", "vintage", "professionnel", "léger & solide", "design",
)  # fmt: skip
_COLOURS = ("bleu", "rouge", "vert", "noir", "blanc", "jaune", "rose", "gris", "doré", "multicolore")
_BRANDS = (
    "Maléo",
    "Vitaro",
    "Lunéa",
    "Sorimo",
    "Kazeta",
    "Bato & Fils",
    "Domira",
    "Fénix",
    "Rapolu",
    "Gavido",
)
_SENTENCES = (
    "Livraison rapide et soignée",
    "Produit conforme à la photo, vendu sans accessoire",
    "Idéal pour offrir : anniversaire, Noël, fête",
    "Matière : coton, polyester ou métal selon le modèle",
    "Dimensions : 45 x 45 cm, poids 1,2 kg",
    "Facile à nettoyer et à ranger",
    'Voir aussi notre gamme "Confort"',
    "Garantie 2 ans, pièces et main d'œuvre",
    "Attention : ne convient pas aux enfants de moins de 3 ans",
    "Quelques traces d'usure, intérieur propre",
)
# As they come out of sellers' systems: a letter as its entity, a tag, a line break inside the field.
_ENTITIES = (
    ("é", "&eacute;"),
    ("è", "&egrave;"),
    ("à", "&agrave;"),
    ("'", "&#39;"),
    ('"', "&quot;"),
    (" & ", " &amp; "),
)
_JOINTS = ("<br />", "<br>", "</p><p>", ". ", " - ", "\n", "&nbsp;", "</li><li>", "\n\n")


def product_text(codes: Sequence[int], salt: str) -> Iterator[tuple[str, str]]:
    """Designation and description (empty: missing) of each row: a function of the codes and the salt."""
    chance = random.Random(f"text/{salt}")
    missing = set(chance.sample(range(len(codes)), round(_MISSING_DESCRIPTIONS * len(codes))))
    for row, code in enumerate(codes):
        designation = _designation(code, chance)
        yield designation, "" if row in missing else _description(designation, chance)


def _designation(code: int, chance: random.Random) -> str:
    words = [chance.choice(_NOUNS[code]), chance.choice(_BRANDS)]
    words += chance.sample(_ADJECTIVES, chance.randint(0, 2))
    if chance.random() < 0.4:
        words.append(chance.choice(_COLOURS))
    if chance.random() < 0.3:
        words.append(f"{chance.randint(2, 99)} {chance.choice(('cm', 'pièces', 'ml', 'n°', 'W'))}")
    text = " ".join(words)
    match chance.randrange(12):
        case 0:
            return text.title()
        case 1:
            return text.upper()
        case 2:
            return _with_entities(text)
        case 3:
            return f'{text}, "{chance.choice(_ADJECTIVES)}"'
    return text


def _description(designation: str, chance: random.Random) -> str:
    sentences = [designation, *chance.sample(_SENTENCES, chance.randint(1, 6))]
    if chance.random() < 0.03:  # A few descriptions are very long.
        sentences *= chance.randint(5, 30)
    text = sentences[0]
    for sentence in sentences[1:]:
        text += chance.choice(_JOINTS) + sentence
    if chance.random() < 0.5:
        text = _with_entities(text)
    return f"<p>{text}</p>" if chance.random() < 0.6 else text


def _with_entities(text: str) -> str:
    for letter, entity in _ENTITIES:
        text = text.replace(letter, entity)
    return text
