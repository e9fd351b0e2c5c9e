"""Rules for disclosures: what counts, what only looks like it, offsets, laziness."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.disclosure import Disclosure, find, find_all, mask

DISCLOSED = [
    ("Mon café du matin #pub", "advert"),
    ("Mon café du matin #PUBLICITÉ", "advert"),
    ("Morning cup ☕ #ad", "advert"),
    ("Morning cup #Sponsored", "advert"),
    ("petite routine #sponso", "advert"),
    ("Publicité\nLa Brizelo Nuo est là", "advert"),
    ("Cette vidéo est sponsorisée par Brizelo.", "advert"),
    ("This video is sponsored by Torvella", "advert"),
    ("Thanks to Torvella for sponsoring today's video", "advert"),
    ("Merci à Brizelo d’avoir sponsorisé cet épisode", "advert"),
    ("Collaboration commerciale avec Brizelo", "partnership"),
    ("PARTENARIAT RÉMUNÉRÉ", "partnership"),
    ("Paid partnership with Torvella", "partnership"),
    ("ma tasse préférée #collab", "partnership"),
    ("Vidéo réalisée en collaboration avec Brizelo", "partnership"),
    ("En collaboration avec @brizelo_fr, la recette du dimanche", "partnership"),
    ("Love this one #BrizeloPartner", "partnership"),
    ("Je teste la Brizelo Nuo (produit offert)", "gift"),
    ("Machine offerte par @brizelo_fr", "gift"),
    ("[gifted] the new Torvella Uno", "gift"),
    ("#gifted and happy", "gift"),
    ("I got it in exchange for an honest review", "gift"),
    ("La machine : https://amzn.to/3xYz", "affiliate"),
    ("ma sélection https://www.amazon.fr/dp/B0ABC?tag=clara-21", "affiliate"),
    ("liens affiliés en barre d'infos", "affiliate"),
    ("Affiliate links below", "affiliate"),
    ("I may earn a commission if you buy", "affiliate"),
    ("-15 % avec le code CLARA15", "code"),
    ("Utilise mon code sur le site Brizelo", "code"),
    ("use my code CLARA for a treat", "code"),
    ("20% off at Torvella with code BEANS20", "code"),
    ("code promo : MOKA10", "code"),
    ("venez jouer #codeboutiqueClara", "code"),
    ("Fière d’être ambassadrice de Brizelo", "ambassador"),
    ("proud Torvella ambassador here", "ambassador"),
    ("#TorvellaAmbassador", "ambassador"),
    ("Publicité : la Brizelo Nuo arrive", "advert"),
    ("Publicité - la Brizelo Nuo arrive", "advert"),
    ("Publicité – la Brizelo Nuo arrive", "advert"),
    ("PUBLICITÉ | la Brizelo Nuo arrive", "advert"),
    ("La Brizelo Nuo arrive (publicité)", "advert"),
    ("Mon rituel du soir\nPlacement de produit", "advert"),
    ("Placement de produit : la Brizelo Nuo", "advert"),
    ("Ma cuisine (placement de produit)", "advert"),
    ("Ma cuisine, placement de produit.", "advert"),
    ("Ceci est un placement de produit", "advert"),
    ("Cette vidéo contient un placement de produit", "advert"),
    ("Ce matin, placement de produit pour Brizelo avec Anna", "advert"),
    ("Sponsored", "advert"),
    ("Sponsored: the Torvella Uno", "advert"),
    ("AD | the Torvella Uno", "advert"),
    ("AD - the Torvella Uno", "advert"),
    ("Ad — the Torvella Uno", "advert"),
    ("Ad: the Torvella Uno", "advert"),
    ("Paid ad", "advert"),
    ("Love my kitchen (paid ad)", "advert"),
    ("[AD] the Torvella Uno", "advert"),
    ("This is an ad", "advert"),
    ("This post is a paid ad for Torvella", "advert"),
    ("Not my usual cup. This is an ad.", "advert"),
    ("En partenariat avec Brizelo", "partnership"),
    ("🎁 En partenariat avec Brizelo, on vous gâte", "partnership"),
    ("ma tasse préférée #collaboration", "partnership"),
    ("Gifted item, thoughts my own", "gift"),
    ("Gifted: the Torvella Uno", "gift"),
    ("Produit reçu gratuitement", "gift"),
    ("Des articles reçus gracieusement, avis sincère", "gift"),
    ("Merci @torvella pour votre envoi, hâte d'essayer", "gift"),
    ("Brizelo m'a gentiment envoyé ce mixeur", "gift"),
    ("Mes amis de Brizelo m’ont gentiment envoyé ce mixeur", "gift"),
    ("Torvella gave me this blender to test", "gift"),
    ("My friends at Torvella sent me this blender to review", "gift"),
    ("It costs you no more, but I earn a commission", "affiliate"),
    ("It doesn't cost you more, but I earn a commission", "affiliate"),
    ("Vous ne payez pas plus, et je touche une commission", "affiliate"),
    ("use code clara15 today", "code"),
    ("Utilise le code clara15", "code"),
    ("This isn't the first video sponsored by Torvella", "advert"),
    ("Don't forget: this video is sponsored by Torvella", "advert"),
]

NOT_DISCLOSED = [
    "Cette vidéo n'est pas sponsorisée par Brizelo",
    "Cette vidéo n’est pas sponsorisée.",
    "Non sponsorisé, j'adore vraiment",
    "sans partenariat rémunéré, promis",
    "This is not sponsored, I just love it",
    "Not an ad!! #notanad",
    "No affiliation with Torvella, and these are not affiliate links",
    "I never take money in exchange for a positive review",
    "Partenariats : clara@exemple.fr",
    "📩 Contact pro / collaborations commerciales : clara@exemple.fr",
    "Business enquiries: hello@example.com",
    "For sponsorships contact hello@example.com",
    "Une soirée en partenariat avec la mairie de Lyon",
    "Vidéo tournée en partenariat avec l'université de Nantes",
    "Vidéo en partenariat avec France Télévisions",
    "Video made in partnership with the city council",
    "#AdFree #pubquiz #adidas #collaborateur",
    "On relit le code source puis on va au pub",
    "La pub de Brizelo passe trop souvent à la télé",
    "Error code E04 again, my Torvella Uno is dead",
    "Mon code promo ne marche pas",
    "My promo code didn't work at checkout",
    "Offert par ma mère pour mon anniversaire",
    "Le deuxième café était offert par la maison",
    "https://bit.ly/3abc",
    "#DancePartner of the year",
    "This video isn't sponsored by Torvella",
    "This video isn’t sponsored by Torvella",
    "This video wasn't sponsored by Torvella",
    "This post isn't in any way paid advertising",
    "These aren't affiliate links",
    "The links aren’t affiliate links",
    "This isn't a paid partnership",
    "I haven't partnered with Torvella",
    "I don't do paid promotion",
    "I don't accept sponsored posts",
    "I don't earn a commission",
    "I don’t get any commission",
    "I do not earn a commission",
    "I earn no commission on this",
    "Je ne touche aucune commission",
    "Je ne gagne pas de commission",
    "Je ne perçois ni cadeau ni commission",
    "Not an #ad",
    "This isn't an #ad",
    "Not #sponsored, just happy",
    "Pas une #pub",
    "Ce n'est pas #sponso",
    "Sponsored: no. Loved: yes",
    "Publicité : aucune",
    "Aucun de mes articles ne contient jamais de placement de produit",
    "C'est quoi ces placements de produits dans leur film",
    "Ad-free since 2020",
    "Ad-hoc meeting at noon",
    "This is an ad hominem",
    "I feel like this is an ad",
    "La publicité : tout un métier",
    "En partenariat avec Mairie et Métropole de Nantes",
    "En partenariat avec la mairie de Lyon",
    "En partenariat avec l'Université de Nantes",
    "Merci @torvella pour votre envoi rapide",
    "Merci @torvella pour l’envoi très soigné",
    "Merci @torvella pour votre cadeau dans la commande",
    "Ma sœur m'a gentiment offert ce mixeur",
    "Ma belle-mère nous a gentiment envoyé des cafés",
    "My mum gave me this blender to test",
    "My friend Anna sent me her grinder to test",
    "Je n'ai pas de produit reçu gratuitement à montrer",
    "with code python3 it fails, use code utf8",
]


@pytest.mark.parametrize(("text", "kind"), DISCLOSED)
def test_finds_what_discloses_and_its_kind(text: str, kind: str) -> None:
    found = find(text)
    assert kind in {disclosure.kind for disclosure in found}
    assert all(text[d.start : d.end] == d.surface for d in found)


@pytest.mark.parametrize("text", NOT_DISCLOSED)
def test_leaves_denials_contacts_institutions_and_lookalikes(text: str) -> None:
    assert find(text) == []


@pytest.mark.parametrize("sign", [" :", ":", " |", " -", " –", " —"])
def test_the_sign_after_a_heading_is_no_part_of_it(sign: str) -> None:
    assert [d.surface for d in find(f"Sponsored{sign} the Torvella Uno")] == ["Sponsored"]


def test_a_denial_covers_its_own_sentence_only() -> None:
    text = "La précédente n'était pas sponsorisée. Cette vidéo est sponsorisée par Brizelo."
    assert [d.surface for d in find(text)] == ["vidéo est sponsorisée par Brizelo"]


def test_offsets_hold_after_characters_that_fold_to_none_or_several() -> None:
    text = "🇫🇷 Cœur ß e\u0301te\u0301 \u202e ﬁn : collaboration\u00a0commerciale 👩🏽‍🚀 #ad"
    assert [(d.surface, text[d.start : d.end]) for d in find(text)] == [
        ("collaboration\u00a0commerciale",) * 2,
        ("#ad",) * 2,
    ]


def test_masking_blanks_disclosures_and_keeps_length() -> None:
    text = "Un café parfait #ad, -15 % avec le code CLARA15 !"
    masked = mask(text, find(text))
    assert len(masked) == len(text)
    assert "CLARA15" not in masked
    assert "#ad" not in masked
    assert masked.startswith("Un café parfait ")


def test_masking_nothing_gives_the_text_back() -> None:
    assert mask("#ad", []) == "#ad"


def test_each_text_of_a_batch_gets_its_own_list_in_order() -> None:
    found = find_all(["", "#ad", "rien", "#gifted"])
    assert [[d.kind for d in disclosures] for disclosures in found] == [
        [],
        ["advert"],
        [],
        ["gift"],
    ]


def test_a_disclosure_far_into_a_long_text_is_found() -> None:
    text = "mot " * 50_000 + "#ad" + " mot" * 50_000
    assert find(text) == [Disclosure("#ad", 200_000, 200_003, "advert")]


def test_spacy_is_loaded_for_candidates_only() -> None:
    program = (
        "import sys; from murmure.disclosure import find_all;"
        "find_all(['Café parfait ce matin', 'On va au pub', 'Avec plaisir, merci !']);"
        "assert 'spacy' not in sys.modules;"
        "assert find_all(['#ad'])[0]; assert 'spacy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


_WORDS = ["#ad", "code", "avec", "offert", "par", "@a", "CLARA15", "-15 %", "pas", "sponsorisé",
          "amzn.to/x", "\n", ".", "œ", "é", "e\u0301", "\u202e", "\ud800", "\x00", "ß",
          "’"]  # fmt: skip


@settings(max_examples=60)
@given(
    st.one_of(
        st.text(st.characters(exclude_categories=[]), max_size=80),
        st.lists(st.sampled_from(_WORDS), max_size=30).map(" ".join),
        st.lists(st.sampled_from(_WORDS), max_size=30).map("".join),
    )
)
def test_any_string_is_read_and_offsets_cut_the_raw_text(text: str) -> None:
    found = find(text)
    assert all(text[d.start : d.end] == d.surface != "" for d in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert len(mask(text, found)) == len(text)


@pytest.mark.parametrize("piece", ["a", "avec le code CLARA15 ", "#ad", "a.a@", "\ud800", "promo:"])
def test_five_megabytes_of_anything_are_read_in_seconds(piece: str) -> None:
    text = piece * (5_000_000 // len(piece))
    begun = time.process_time()
    find(text)
    assert time.process_time() - begun < 20
