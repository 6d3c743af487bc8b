"""Word lists for generate.py: common names and places, put together at random, so nobody real is meant.

In FIRST_NAMES and LAST_NAMES an underscore stands for a space.
"""

FIRST_NAMES = """
Anna John Mary James Patricia Michael Linda Grace Noah Olivia Ethan Chloe Zoë Chloé René Renée François Françoise
Hélène Jérôme Noël Inès Loïc Maëlle José María Ángel Íñigo Begoña Núria João Inês Conceição Gonçalo Luís Jürgen Jörg
Günther Käthe Björn Åsa Øyvind Søren Lærke Märta Þóra Guðrún Łukasz Małgorzata Zofia Jiří Ondřej Žofie Štěpán Đorđe
Čedomir László Erzsébet Győző Ștefan Ioana Mărioara Ģirts Ķeita Živilė Õie Ülle Şule Çağla Gülşen Işıl İsmail Ömer
Nguyệt Thảo Đức Hữu Siobhán Caoimhe Seán Ffion Llŷr Ġorġ Иван Ольга Алексей Юлия Сергій Любов Ђорђе Αλέξανδρος
Γιώργος Νίκος Ελένη Ιωάννης Άννα Κώστας محمد فاطمة أحمد علي‌رضا زهرا יעל אברהם שרה प्रिया अर्जुन ज़ैनब
தமிழ்ச்செல்வி สมชาย มาลี
李小龙 伟 芳 秀英 建国 太郎 花子 さくら タカシ ケンジ 민준 서연 정 지훈 Արամ Մարիամ ნინო გიორგი ሰላም Ngozi Chiamaka Kwame Thandiwe
N'Dri D'Andre D’Angelo O'Neal Ra'ed Mary-Ann Jean-Luc Anne-Sophie Hans-Peter Ana‑Lucía Mary_Jo Li-Wei Jo
""".split()

LAST_NAMES = """
Smith Johnson Williams Brown Jones Garcia Miller Davis Wilson Taylor Lefèvre Bérenger Gauthier Muñoz Núñez Peña Ibáñez
Gonçalves Assunção Magalhães Simões Müller Schröder Weiß Straße Größmann STRAẞE Jäger Åkesson Sjöberg Ødegård Sørensen
Kjær Þórsdóttir Guðmundsson Wałęsiak Błaszczyk Źrebiec Dvořák Růžička Novotná Žižka Đurić Čović Šarić Kovács Szőke
Őrsi Ionescu Țepeș Bērziņš Kalniņš Žukauskas Õunapuu Yıldız Şahin Çelik Öztürk Güneş İnce ILGAZ Nguyễn Trần Đặng Phạm
Ó_Briain Mac_Giolla Ní_Chonaill Иванов Смирнова Щербаков Ковальчук Шевчук Ђурић Петровић Παπαδόπουλος
Γεωργίου ΚΑΡΑΜΑΝΟΣ Νικολάου حسين الخطيب منصور رضایی کریمی כהן לוי שרון शर्मा गुप्ता சுப்பிரமணியம் ศรีสุข วงศ์ไทย 王 李 欧阳
张伟
佐藤 鈴木 高橋 渡邉 𠮷田 김 이 박 남궁 Պետրոսյան ბერიძე Adeyemi Okonkwo Mokoena Nkosi O'Brien O'Connor O’Reilly D'Souza
N'Diaye L'Hôpital M'Baye van_der_Berg al-Sayed Ben-David Smith-Jones García-Márquez Saint-Exupère Sant'Anna
Fernández_de_la_Torre Quiñones-Öst Lee Wu Ng
""".split()

# Two or three of these make a name or a town that no list holds.
SYLLABLES = """
an ar bel bri cor dan del den el fa gor ha hol ian jo ka kel lan lo ma mir na nor or pa per ran ro sa sel ta tor va
wil yn zé né ão ñi ín ül ör äh ße çi şe ğu łu ło ří šť žo ñá øy åm þó ğı İz ēk ūn ço ры ов ий ся λό ης Σο
""".split()

PARTICLES = ["van der ", "van den ", "de la ", "von ", "de ", "da ", "di ", "el ", "Mc ", "St. ", "O' "]
TITLES = ["Dr. ", "Mr. ", "Mrs ", "Prof. "]
SUFFIXES = [" Jr.", ", Jr", " III", " (geb. Kurz)", " 2nd", " 🙂"]

GENDERS = """
m f male female man woman boy girl mr mr. mrs mrs. ms miss sir madam ma'am he she him her his hers lady gentleman father
mother husband wife son daughter king queen prince duchess lord dame männlich weiblich herr frau homme femme hombre
mujer masculino feminino maschio femmina mies nainen 男 女 남 여 мужской женский ж м other non-binary nonbinary
diverse d x u unknown n/a 0 1 2 male/female m/f
""".split()

CITIES = """
Paris|New York|London|Menlo Park|San Francisco|Los Angeles|Springfield|Portland|Boise|Tulsa|Reno|Omaha|Berlin|Hamburg|
Bremen|Wien|Madrid|Lisboa|Porto|Roma|Milano|Torino|Napoli|Oslo|Bergen|Stockholm|Helsinki|Turku|Warszawa|Praha|Budapest|
Sofia|Istanbul|Ankara|Tokyo|Osaka|Seoul|Busan|Beijing|Hong Kong|Mumbai|Delhi|Lagos|Accra|Nairobi|Cape Town|Sydney|Perth|
Auckland|Toronto|Vancouver|Rio de Janeiro|Buenos Aires|Santiago|Lima|Quito|The Hague|Ho Chi Minh City|St. Louis|
St Albans|St. John's|King's Lynn|L'Aquila|Val-d'Or|Winston-Salem|Stratford-upon-Avon|Aix-en-Provence|Saint-Étienne|
Baden-Baden|Stoke-on-Trent|Washington, D.C.|Washington DC|Kansas City (MO)|Halle (Saale)|Frankfurt/Main|
Frankfurt a. M.|Roanoke & Salem|29 Palms|Paris 16|75016 Paris|London SW1|Zürich|Köln|München|Düsseldorf|Lübeck|Graz|
Genève|Orléans|Nîmes|Besançon|Málaga|León|A Coruña|Cádiz|São Paulo|Brasília|Belém|Coimbra|Bogotá|Medellín|Querétaro|
Mérida|Göteborg|Malmö|Tromsø|Ålesund|København|Aarhus|Reykjavík|Łódź|Kraków|Gdańsk|Brno|Plzeň|Győr|Pécs|București|
Iași|Rīga|Šiauliai|Tórshavn|İzmir|İstanbul|Şanlıurfa|Iğdır|Đà Nẵng|Huế|Москва|Санкт-Петербург|Київ|Белград|Αθήνα|
Θεσσαλονίκη|ΠΕΙΡΑΙΑΣ|القاهرة|دبي|طهران|ירושלים|תל אביב|दिल्ली|मुंबई|กรุงเทพ|東京|大阪市|上海|北京|臺北|서울|부산광역시|
Երևան|თბილისი|አዲስ አበባ|Y|Å|Ii|Llanfairpwllgwyngyll|Xi'an|Sana'a|Nuku'alofa|Ta’if|Espoo|Tampa|Fargo
""".replace("\n", "").split("|")

STATES = dict(entry.split(":") for entry in """
al:Alabama|ak:Alaska|az:Arizona|ar:Arkansas|ca:California|co:Colorado|ct:Connecticut|de:Delaware|fl:Florida|ga:Georgia|
hi:Hawaii|id:Idaho|il:Illinois|in:Indiana|ia:Iowa|ks:Kansas|ky:Kentucky|la:Louisiana|me:Maine|md:Maryland|
ma:Massachusetts|mi:Michigan|mn:Minnesota|ms:Mississippi|mo:Missouri|mt:Montana|ne:Nebraska|nv:Nevada|nh:New Hampshire|
nj:New Jersey|nm:New Mexico|ny:New York|nc:North Carolina|nd:North Dakota|oh:Ohio|ok:Oklahoma|or:Oregon|pa:Pennsylvania|
ri:Rhode Island|sc:South Carolina|sd:South Dakota|tn:Tennessee|tx:Texas|ut:Utah|vt:Vermont|va:Virginia|wa:Washington|
wv:West Virginia|wi:Wisconsin|wy:Wyoming|dc:District of Columbia|pr:Puerto Rico|gu:Guam|vi:Virgin Islands|
on:Ontario|qc:Quebec|bc:British Columbia|ab:Alberta|sk:Saskatchewan|mb:Manitoba|ns:Nova Scotia|nb:New Brunswick|
pe:Prince Edward Island|nl:Newfoundland and Labrador|yt:Yukon|nt:Northwest Territories|nu:Nunavut
""".replace("\n", "").split("|"))

REGIONS = """
Bayern|BY|DE-BY|Nordrhein-Westfalen|NRW|NW|Baden-Württemberg|Thüringen|Zürich|ZH|Wien|Tirol|Île-de-France|IDF|75|
Provence-Alpes-Côte d'Azur|Cataluña|Madrid|Andalucía|Lombardia|MI|RM|São Paulo|SP|Rio de Janeiro|RJ|Minas Gerais|
New South Wales|NSW|Queensland|QLD|Victoria|VIC|WA|Maharashtra|Karnataka|MH|Tamil Nadu|Punjab|Ontario (Canada)|Québec|
PQ|Newfoundland|Noord-Holland|Zuid-Holland|Utrecht|Vlaanderen|Greater London|Kent|Devon|County Durham|Co. Cork|
Scotland|Wales|Västra Götaland|Skåne|Mazowieckie|Śląskie|Moskva|Московская область|東京都|大阪府|北海道|广东省|서울특별시|
Jalisco|CDMX|Ciudad de México|Buenos Aires|Antioquia|Gauteng|Lagos|Dubai|İstanbul|State of Texas|California, USA|Tex.|
Mass.|N.Y.|N. Y.|D.C.|W. Virginia|New-Mexico|NY 10001|Washington State|UNKNOWN|-|Y
""".replace("\n", "").split("|")

# 9 stands for a digit and A for a letter.
POSTCODES = """
us:99999 us:99999-9999 us:99999_9999 us:999999999 gb:A9_9AA gb:A99_9AA gb:AA9_9AA gb:AA99_9AA gb:A9A_9AA gb:AA9A9AA
ca:A9A_9A9 ca:A9A9A9 ca:A9A-9A9 nl:9999_AA nl:9999AA pt:9999-999 pt:9999_999 br:99999-999 br:99999999 jp:999-9999
jp:〒999-9999 pl:99-999 pl:99999 se:999_99 se:SE-999_99 gr:999_99 cz:999_99 sk:99999 de:99999 de:D-99999 fr:99999
es:99999 it:99999 ch:9999 at:A-9999 be:B-9999 dk:9999 lu:L-9999 lv:LV-9999 lt:LT-99999 ie:A99_A9A9 in:999999 in:999_999
au:9999 kr:99999 kr:999-999 tw:999-99 sg:999999 ar:A9999AAA mt:AAA_9999 ru:999999 is:999 fo:99 za:9999 il:9999999
""".split()

COUNTRY_CODES = """
ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bv bw by bz ca cc cd
cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et fi fj fk fm fo fr ga gb gd ge gf
gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn
kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na
nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si
sj sk sl sm sn so sr ss st sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug um us uy uz va vc ve vg vi
vn vu wf ws ye yt za zm zw
""".split()

COUNTRY_NAMES = """
United States|USA|United States of America|U.S.|U.S.A.|America|United Kingdom|UK|U.K.|Great Britain|GBR|England|
Scotland|Germany|DEU|Deutschland|GER|France|FRA|Spain|España|ESP|Italy|Italia|ITA|Portugal|PRT|Netherlands|
The Netherlands|Nederland|Holland|NLD|Belgium|België|Belgique|BEL|Switzerland|Schweiz|Suisse|Svizzera|CHE|
Austria|Österreich|AUT|Denmark|Danmark|DNK|Norway|Norge|NOR|Sweden|Sverige|SWE|Finland|
Suomi|FIN|Iceland|Ísland|Poland|Polska|POL|Czechia|
Czech Republic|Česko|CZE|Hungary|Magyarország|HUN|Romania|România|ROU|Greece|Ελλάδα|GRC|Turkey|Türkiye|TUR|Ukraine|
Україна|UKR|Russia|Russian Federation|Россия|RUS|Ireland|Éire|IRL|Canada|CAN|Mexico|México|MEX|Brazil|Brasil|BRA|
Argentina|ARG|Chile|Colombia|Perú|Venezuela|Bolivia|Japan|日本|JPN|China|中国|CHN|Hong Kong|Taiwan|臺灣|South Korea|
Republic of Korea|대한민국|KOR|North Korea|India|भारत|IND|Pakistan|Bangladesh|Indonesia|Philippines|Viet Nam|Vietnam|
Thailand|ประเทศไทย|Singapore|SGP|Malaysia|Australia|AUS|New Zealand|NZL|South Africa|ZAF|Nigeria|Kenya|Ghana|Egypt|مصر|
Morocco|Israel|ישראל|Saudi Arabia|United Arab Emirates|UAE|Iran|Iraq|Georgia|Armenia|Cote d'Ivoire|Côte d’Ivoire|
Curaçao|Réunion|Bosnia and Herzegovina|North Macedonia|Congo|DR Congo|Eswatini|Swaziland|Kosovo|XK|EU|Europe|xx|zz|an|
yu|su|uk|el|1|u s|U-S|d e|en-US|de_DE
""".replace("\n", "").split("|")
