#!/usr/bin/env python3
"""Write country_names.tsv. Usage: countries.py NODE_MODULES > country_names.tsv

NODE_MODULES holds cldr-localenames-full and cldr-core (see README.md).
Names left out are reported on standard error.
"""

import json
import pathlib
import re
import sys

from fold import fold, is_latin, write

VERSION = "48.2.0"
LOCALES = (
    "en de fr es it pt pt-PT nl pl sv da nb fi cs sk hu ro bg el hr sl et lv lt tr "
    "ru uk ar he hi ja ko zh zh-Hant vi th id ms"
).split()

# The 249 officially assigned ISO 3166-1 alpha-2 codes.
CODES = """
ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl
bm bn bo bq br bs bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv
cw cx cy cz de dj dk dm do dz ec ee eg eh er es et fi fj fk fm fo fr ga gb gd
ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im
in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk
lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw
mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr
ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss
st sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug um us uy
uz va vc ve vg vi vn vu wf ws ye yt za zm zw
""".split()
assert len(CODES) == len(set(CODES)) == 249

# ---------------------------------------------------------------------------
# HAND-WRITTEN ALIASES: code, then names separated by ";". They are folded like
# every other name. They win over CLDR names and alpha-3 codes, never over an
# ISO alpha-2 code.
# ---------------------------------------------------------------------------
ALIASES = """
ae  U.A.E.; Emirates; The United Arab Emirates; VAE; EAU; ОАЭ; 阿联酋; De Forenede Arabiske Emirater; 아랍에미리트연합
af  Islamic Republic of Afghanistan; افغانستان
ag  Antigua
al  Shqipëria; Shqipëri
am  Հայաստան; Hayastan
aq  Antarktyka
at  Republic of Austria; Republik Österreich
au  Commonwealth of Australia; 호주
ax  Aland; Åland; Aland Islands; Aaland; Ahvenanmaa
az  Azərbaycan; Azerbaycan
ba  Bosna; Bosnia-Herzegovina; Republic of Bosnia and Herzegovina; Босна и Херцеговина; Bosnië-Herzegovina; 波黑
bd  বাংলাদেশ; People's Republic of Bangladesh
be  Belgique/België; België/Belgique; Kingdom of Belgium
bj  Benim
bl  Saint Barth; St Barts; St Barths
bn  Brunei; Brunei Darussalam
bo  Bolivia; Plurinational State of Bolivia; Bolivia (Plurinational State of)
bq  Bonaire; Bonaire, Sint Eustatius and Saba; Bonaire, Saint Eustatius and Saba; BES Islands
br  Brasil; Federative Republic of Brazil; República Federativa do Brasil
bs  The Bahamas; Commonwealth of the Bahamas
by  Belorussia; Byelorussia; Белоруссия; Republic of Belarus; Weißrussland; Wit-Rusland; Vitryssland; Hviderusland; Hviterussland; Fehéroroszország; Beyaz Rusya; روسيا البيضاء; Belarusia
cc  Cocos Islands; Keeling Islands
cd  DR Congo; D.R. Congo; DRC; RDC; Democratic Republic of Congo; Democratic Republic of the Congo; The Democratic Republic of the Congo; Congo, Democratic Republic; Congo, Democratic Republic of; Congo, Democratic Republic of the; Congo, The Democratic Republic of the; Congo Kinshasa; Zaire; République démocratique du Congo; Repubblica Democratica del Congo; Democratische Republiek Congo; Demokratische Republik Kongo; Демократическая Республика Конго
cf  Central African Rep; The Central African Republic
cg  Republic of Congo; Republic of the Congo; The Republic of the Congo; Congo Republic; Congo, Republic of; Congo, Republic of the; Congo Brazzaville; République du Congo; Republik Kongo; Repubblica del Congo; República del Congo; República do Congo
ch  Schweiz; Suisse; Svizzera; Svizra; Swiss; Swiss Confederation; Schweizerische Eidgenossenschaft; Confoederatio Helvetica; Confédération suisse
ci  Ivory Coast; Cote d'Ivoire; The Ivory Coast
cn  PRC; P.R. China; People's Republic of China; The People's Republic of China; Mainland China; China Mainland; 中国; 中國; 中国大陆; 中國大陸; 中华人民共和国; 中華人民共和國; 中華人民共和国; КНР; Volksrepublik China; République populaire de Chine; República Popular China
co  Republic of Colombia
cv  Cape Verde; Cabo Verde; Republic of Cabo Verde
cw  Curacao; Curaçao
cy  Republic of Cyprus
cz  Czechia; Czech Republic; The Czech Republic; Czech; Czech Rep; Česko; Česká republika; Tschechei
de  Deutschland; BRD; Bundesrepublik Deutschland; Federal Republic of Germany; Germany, Federal Republic of; West Germany
dk  Danmark; Kingdom of Denmark
do  Dominican Rep; The Dominican Republic; Rep. Dominicana
ee  Eesti; Republic of Estonia
eg  Arab Republic of Egypt
es  España; Espanya; Kingdom of Spain; Reino de España
fi  Republic of Finland
fk  Falklands; The Falkland Islands; Malvinas; Islas Malvinas; Falkland Islands (Malvinas)
fm  Micronesia; Federated States of Micronesia; Micronesia (Federated States of)
fo  Faeroe Islands; Faroes; Føroyar
fr  French Republic; République française; Metropolitan France; France métropolitaine; France, Metropolitan
gb  UK; U.K.; The UK; The United Kingdom; United Kingdom (UK); United Kingdom (GB); England; England, UK; Scotland; Wales; Northern Ireland; N. Ireland; Great Britain; Great Britain (UK); United Kingdom (Great Britain); Britain; G. Britain; Gt Britain; United Kingdom of Great Britain and Northern Ireland; United Kingdom of Great Britain; The United Kingdom of Great Britain and Northern Ireland; Cymru; Großbritannien; Schottland; Nordirland; Grande-Bretagne; Angleterre; Écosse; Pays de Galles; Gran Bretaña; Inglaterra; Escocia; Gran Bretagna; Inghilterra; Scozia; Grã-Bretanha; Escócia; Groot-Brittannië; Engeland; Schotland; Storbritannien; Storbritannia; Anglia; Szkocja; Anglie; Skotsko; İngiltere; İskoçya; Англия; Шотландия; Англія; Шотландія; Αγγλία; Σκωτία; 英国; 英國; 英格蘭; 英格兰; 苏格兰; 蘇格蘭; イングランド; スコットランド; 잉글랜드; 스코틀랜드; Великобританія; Yhdistynyt kuningaskunta; הממלכה המאוחדת; Britania Raya; Lloegr
ge  Georgia; Republic of Georgia; Georgia, Republic of; Sakartvelo; საქართველო
gm  Gambia; The Gambia; Republic of the Gambia
gr  EL; Hellas; Ellada; Hellenic Republic; Ελλάς
gs  South Georgia; South Georgia/Sandwich Islands; South Georgia and the South Sandwich Islands
hk  Hong Kong; Hong Kong SAR; HKSAR; Hong Kong, China; Hong Kong S.A.R.; Hong Kong SAR of China
hm  Heard and McDonald Islands; Heard Island and McDonald Islands
hr  Hrvatska; Republic of Croatia
hu  Republic of Hungary; المجر
id  Republic of Indonesia
ie  Republic of Ireland; The Republic of Ireland; Ireland, Republic of; Irish Republic; Southern Ireland; Éire
im  The Isle of Man; Insel Man
in  Bharat; Republic of India; भारत
ir  Iran; Islamic Republic of Iran; Iran, Islamic Republic of; Persia; ایران
is  Ísland
it  Italian Republic; Repubblica Italiana
jp  Nippon; Nihon; 日本; 日本国; 日本國; にほん; にっぽん
kg  Kyrgyz Republic; Kirghizia
kh  Kingdom of Cambodia
kn  Saint Kitts; St Christopher and Nevis; Saint Christopher and Nevis
kp  North Korea; Korea North; N. Korea; Korea (North); DPRK; DPR Korea; Korea DPR; Democratic People's Republic of Korea; Korea, Democratic People's Republic of; Korea, Democratic People's Republic of the; 조선민주주의인민공화국; КНДР
kr  Korea; South Korea; Korea South; S. Korea; Korea (South); ROK; Republic of Korea; The Republic of Korea; Korea, Republic of; Korea, Rep; Korea Rep; Corea; 대한민국; 한국; 남한; 韓国; 韩国; 韓國; 大韓民国; 大韩民国; 大韓民國; República de Corea; République de Corée; Republik Korea; Республика Корея; Республіка Корея
ky  The Cayman Islands; Caymans
kz  Қазақстан; Qazaqstan
la  Laos; Lao; Lao PDR; Lao P.D.R.; Lao People's Democratic Republic; The Lao People's Democratic Republic
lk  Democratic Socialist Republic of Sri Lanka
lt  Republic of Lithuania
lu  Lëtzebuerg; Grand Duchy of Luxembourg; Luxemburg
lv  Republic of Latvia
ly  Libyan Arab Jamahiriya; State of Libya
md  Moldova; Republic of Moldova; Moldova, Republic of; The Republic of Moldova; Moldawien; Moldavien; Молдавия
me  Crna Gora; Црна Гора; Republic of Montenegro
mf  Saint Martin (French part)
mh  The Marshall Islands
mk  Macedonia; Republic of Macedonia; Republic of North Macedonia; FYROM; FYR Macedonia; Former Yugoslav Republic of Macedonia; The Former Yugoslav Republic of Macedonia; Macedonia, the former Yugoslav Republic of; Makedonija; Северна Македонија; Македонија; The Republic of North Macedonia
mm  Burma; Myanmar; Union of Myanmar
mn  Монгол Улс; Монгол
mo  Macau; Macao; Macau SAR; Macao SAR; Macau, China; Macao, China
mv  The Maldives
mx  México; Méjico; Estados Unidos Mexicanos; United Mexican States
nl  Holland; The Netherlands; Nederland; Kingdom of the Netherlands; Netherlands, The; The Kingdom of the Netherlands; Holanda; Hollande; Olanda; Hollandia; Holandia; Ολλανδία; Голландия; Голландія; Netherlands (Kingdom of the); Koninkrijk der Nederlanden
no  Norge; Noreg; Kingdom of Norway
np  Federal Democratic Republic of Nepal
nz  Aotearoa
pf  Tahiti
ph  The Philippines; Pilipinas; Republic of the Philippines
pk  Islamic Republic of Pakistan; پاکستان
pl  Polska; Republic of Poland; Rzeczpospolita Polska
pn  Pitcairn
ps  Palestine; State of Palestine; Palestine, State of; Palestinian Territory; Palestinian Territories; Occupied Palestinian Territory; Palestinian Territory, Occupied; The State of Palestine
pt  Portuguese Republic; República Portuguesa
pw  Belau; Republic of Palau
re  Reunion Island; La Réunion
ro  Rumani; Rumania
rs  Serbia; Republic of Serbia; Srbija; Србија
ru  Russia; Russian Federation; The Russian Federation; Россия; Российская Федерация; РФ; Rossiya; Rossija; Rossia; Russische Föderation; Russische Federatie; Fédération de Russie; Federación de Rusia; Federación Rusa; Federazione Russa; Federação Russa; Federacja Rosyjska; Liên bang Nga
sa  KSA; Kingdom of Saudi Arabia; Saudi; السعودية; Szaudi-Arábia; Saudi-Arabië; 사우디
se  Sverige; Kingdom of Sweden
sg  Republic of Singapore
sh  Saint Helena; Saint Helena, Ascension and Tristan da Cunha; Saint Helena, Ascension Island, Tristan da Cunha
si  Republic of Slovenia
sj  Svalbard; Svalbard and Jan Mayen Islands
sk  Slovakia; Slovak Republic; The Slovak Republic; Slovensko; Slovenská republika
ss  Sudan del Sud
st  Sao Tome; São Tomé and Príncipe; Democratic Republic of Sao Tome and Principe
sx  St Maarten; Saint Maarten; Saint Martin (Dutch part); Sint Maarten (Dutch part)
sy  Syria; Syrian Arab Republic; The Syrian Arab Republic
sz  Swaziland; Kingdom of Eswatini; Kingdom of Swaziland
tc  Turks and Caicos; The Turks and Caicos Islands
tl  East Timor; Timor-Leste; Democratic Republic of Timor-Leste
tr  Turkey; Türkiye; Turkiye; Republic of Turkey; Republic of Türkiye; Türkiye Cumhuriyeti; 터키
tt  Trinidad; Trinidad and Tobago
tw  Taiwan; Taiwan, ROC; Taiwan (R.O.C.); Taiwan, Republic of China; Taiwan, Province of China; Taiwan, China; Chinese Taipei; 台湾; 台灣; 臺灣; 臺湾; 中華民國; 中华民国; 中国台湾; 中國台灣
tz  Tanzania; United Republic of Tanzania; Tanzania, United Republic of; The United Republic of Tanzania
ua  The Ukraine
um  US Minor Outlying Islands; United States Minor Outlying Islands; United States (US) Minor Outlying Islands; The United States Minor Outlying Islands
us  U.S.; U.S.A.; The US; The USA; The United States; United States (US); United States (USA); USA (United States); United States of America; United States of America (USA); The United States of America; US of A; U.S. of A.; America; Amerika; Vereinigte Staaten von Amerika; États-Unis d'Amérique; EE.UU.; Estados Unidos de América; Estados Unidos de Norteamérica; Stati Uniti d'America; EUA; Estados Unidos da América; VSA; Verenigde Staten van Amerika; Stany Zjednoczone Ameryki; Соединенные Штаты Америки; Америка; Αμερική; アメリカ合衆国; アメリカ; 米国; 美国; 美國; 美利坚合众国; 미국; 미합중국; Amerikai Egyesült Államok; Spojené státy americké; Spojené štáty americké; Ηνωμένες Πολιτείες Αμερικής; Hợp chủng quốc Hoa Kỳ; Birleşik Devletler; Birleşik Amerika
uy  Oriental Republic of Uruguay
uz  Oʻzbekiston; Ozbekiston
va  Vatican; The Vatican; Vatican City; Vatican City State; Holy See; The Holy See; Holy See (Vatican City State); Vatican City (Holy See); Saint-Siège; Santa Sede; Santa Sé; Heiliger Stuhl; 바티칸
vc  Saint Vincent; St Vincent; Saint Vincent and Grenadines; Saint Vincent and the Grenadines; St Vincent and the Grenadines
ve  Venezuela; Bolivarian Republic of Venezuela; Venezuela, Bolivarian Republic of
vg  BVI; British Virgin Islands; The British Virgin Islands; Virgin Islands, British
vi  USVI; US Virgin Islands; The US Virgin Islands; United States Virgin Islands; United States (US) Virgin Islands; Virgin Islands, U.S.; Virgin Islands of the United States; Virgin Islands, United States
vn  Vietnam; Viet Nam; Việt Nam; Socialist Republic of Vietnam; Socialist Republic of Viet Nam
ws  Western Samoa
za  RSA; Republic of South Africa; Suid-Afrika; ЮАР; Południowa Afryka; Південна Африка; Dél-Afrika
"""

# Names that are better known as another place, or that collide with another
# country's name once Hindi vowel signs are gone.
DROPPED = {"columbia", "granada", "guadalupe", "norfolk", "salvador", "मलदव"}

# Letters NFKD leaves whole, and the plain spellings people type instead.
PLAIN = str.maketrans({
    "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i",
    "ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ə": "e",
    "ʼ": "'", "ʻ": "'",
})
UMLAUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
NORDIC = str.maketrans({"ø": "oe", "Ø": "Oe", "å": "aa", "Å": "Aa", "æ": "ae", "Æ": "Ae"})


def spellings(name, locale):
    """Folded keys for a name: as it is, without brackets, in plain letters."""
    forms = {name, re.sub(r"[(（].*?[)）]", "", name)}
    if locale == "en":
        forms |= {f.replace("&", "and") for f in forms}
        forms |= {f.replace("St.", "Saint") for f in forms}
    if locale in ("de", "hand"):
        forms |= {f.translate(UMLAUT) for f in forms}
    if locale in ("da", "nb", "hand"):
        forms |= {f.translate(NORDIC) for f in forms}
    forms |= {f.translate(PLAIN) for f in forms}
    return {fold(f) for f in forms} - DROPPED


def cldr(root, locale):
    path = root / "cldr-localenames-full/main" / locale / "territories.json"
    data = json.loads(path.read_text("utf-8"))["main"][locale]
    for key, name in data["localeDisplayNames"]["territories"].items():
        code = key[:2].lower()
        # A few locales hold the key itself as a placeholder for the name.
        if re.fullmatch(r"[A-Z]{2}(-alt-\w+)?", key) and code in CODES:
            if not re.fullmatch(r"[A-Z]{2}(-\w+)?", name) or len(name) == 2:
                for folded in spellings(name, locale):
                    yield folded, code, locale


def tiers(root):
    """Lists of (key, code, origin), highest priority first."""
    yield [(c, c, "alpha-2") for c in CODES]
    hand = []
    for line in ALIASES.strip().splitlines():
        code, names = line.split(None, 1)
        assert code in CODES, code
        for name in names.split(";"):
            # Brackets in an alias are punctuation, not an optional part.
            for key in spellings(re.sub(r"[()]", " ", name), "hand"):
                hand.append((key, code, "hand"))
    yield hand
    yield list(cldr(root, "en"))
    mapping = json.loads((root / "cldr-core/supplemental/codeMappings.json").read_text("utf-8"))
    mapping = mapping["supplemental"]["codeMappings"]
    yield [(mapping[c.upper()]["_alpha3"].lower(), c, "alpha-3") for c in CODES]
    yield [
        row
        for locale in LOCALES[1:]
        for row in cldr(root, locale)
        if len(row[0]) >= 3 or not is_latin(row[0])
    ]


def build(root):
    table, left_out = {}, {}
    for rows in tiers(root):
        found = {}
        for key, code, origin in rows:
            found.setdefault(key, {}).setdefault(code, []).append(origin)
        for key, codes in found.items():
            if key in table:
                if set(codes) != {table[key]}:
                    print("outranked:", key, "->", table[key], "not", codes, file=sys.stderr)
            elif len(codes) > 1:
                # Two countries at the same rank: nobody gets it, lower ranks included.
                left_out[key] = codes
                table[key] = None
            else:
                table[key] = next(iter(codes))
    for key, codes in sorted(left_out.items()):
        print("left out:", key, codes, file=sys.stderr)
    return {key: code for key, code in table.items() if key and code}


def main():
    root = pathlib.Path(sys.argv[1])
    for package in ("cldr-localenames-full", "cldr-core"):
        version = json.loads((root / package / "package.json").read_text("utf-8"))["version"]
        assert version == VERSION, f"{package} is {version}, expected {VERSION}"
    header = [
        "folded country name <TAB> ISO 3166-1 alpha-2 code. Generated by scripts/tables/countries.py.",
        f"Names: Unicode CLDR 48 (npm cldr-localenames-full and cldr-core {VERSION}), licence Unicode-3.0,",
        "Copyright (c) 2004-2026 Unicode, Inc.; plus the aliases written by hand in the generator.",
    ]
    write(sys.stdout.buffer, header, build(root).items())


if __name__ == "__main__":
    main()
