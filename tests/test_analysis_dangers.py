"""Dangers to people and to their money are critical in every language, also when told in calm words.

None of these lines is trained on. What only holds their words (a gas stove, a smoke detector) is no danger.
"""

from datetime import UTC, datetime

import pytest

from analysis import read
from analysis.examples import written_examples
from vocabulary import LANGUAGES

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DANGERS = {
    "en": """
        the charger i got on sale is on fire
        my son swallowed a battery
        i smell gas in the kitchen
        there is smoke coming out of the charger
        got an electric shock from the kettle you sold me
        someone is using my card right now
        i don't want to live anymore
        she fainted after the treatment
        hackers are emptying my account as we speak
        sparks are shooting from the plug
        my daughter drank the bleach
    """,
    "pt": """
        o celular que comprei na promoção está pegando fogo
        meu filho engoliu uma pilha
        ta com cheiro de gás aqui em casa
        tá saindo fumaça da tomada
        levei um choque na geladeira q comprei ai
        tem alguem usando meu cartao agora, tiraram dinheiro da conta
        não quero mais viver
        minha mãe desmaiou no salão
        to sentindo cheiro de queimado no carregador
        minha avó não consegue respirar
        clonaram meu cartão e tão gastando
    """,
    "es": """
        mi hijo se tragó una pila
        huele a gas en la cocina
        sale humo del enchufe
        me dio una descarga eléctrica la plancha
        están usando mi tarjeta ahora mismo
        ya no quiero vivir
        mi mamá se desmayó en la clínica
        el bebé no respira bien, no puede respirar
        me están vaciando la cuenta
        el niño bebió lejía
    """,
    "fr": """
        mon fils a avalé une pile
        ça sent le gaz dans la cuisine
        il y a de la fumée qui sort du chargeur
        j'ai pris une décharge électrique avec le sèche-cheveux
        quelqu'un utilise ma carte en ce moment
        je n'ai plus envie de vivre
        ma mère s'est évanouie dans le salon
        elle n'arrive plus à respirer
        on est en train de vider mon compte, on m'a volé ma carte
        la prise fait des étincelles
    """,
    "de": """
        mein sohn hat eine batterie verschluckt
        es riecht nach gas in der küche
        aus dem ladegerät kommt rauch
        ich habe einen stromschlag vom föhn bekommen
        jemand benutzt gerade meine karte
        ich will nicht mehr leben
        meine mutter ist bewusstlos
        sie bekommt keine luft
        mein konto wird gerade leergeräumt
        die steckdose sprüht funken
    """,
    "it": """
        mio figlio ha ingoiato una pila
        sento odore di gas in cucina
        esce fumo dal caricabatterie
        ho preso la scossa dal phon
        qualcuno sta usando la mia carta
        non voglio più vivere
        mia madre è svenuta
        non riesce a respirare
        mi stanno svuotando il conto
        la presa fa scintille
    """,
    "ar": """
        ابني بلع بطارية
        في ريحة غاز في البيت
        في دخان طالع من الشاحن
        الغسالة كهربتني
        حد بيستخدم بطاقتي دلوقتي
        ما ابي اعيش
        امي اغمى عليها عندكم
        مش قادر اتنفس
        بيسحبوا فلوس من حسابي
        بنتي شربت كلور
    """,
    "zh": """
        我儿子吞了一颗电池
        厨房有煤气味
        充电器冒烟了
        热水器漏电，电到我了
        有人在用我的卡消费
        我不想活了
        我妈在店里晕倒了
        孩子呼吸困难
        我账户里的钱正在被转走
        孩子喝了消毒液
    """,
    "ja": """
        息子が電池を飲み込んでしまいました
        台所がガス臭いです
        充電器から煙が出ています
        ドライヤーで感電しました
        誰かにカードを勝手に使われています
        もう死にたいです
        母が店で倒れました
        息ができません
        口座からお金が勝手に引き出されています
        コンセントから火花が散っています
    """,
    "ko": """
        아들이 배터리를 삼켰어요
        가스 냄새가 나요
        충전기에서 연기가 나요
        드라이기 쓰다가 감전됐어요
        누가 제 카드를 쓰고 있어요
        더 이상 살고 싶지 않아요
        엄마가 매장에서 쓰러졌어요
        숨을 못 쉬겠어요
        통장에서 돈이 빠져나가고 있어요
        콘센트에서 불꽃이 튀어요
    """,
}
HARMLESS = {
    "en": """
        this deal is on fire, how much for two
        do you sell gas stoves?
        is the smoke detector in stock
        the atm swallowed my card
        i'd die for that cake haha
        how much is the fire tv stick
        is this shirt flame red?
    """,
    "pt": """
        essa promoção tá pegando fogo hein, quanto fica o kit?
        vcs tem fogão a gás?
        o caixa engoliu meu cartão
        água com gás ou sem?
        quase morri de rir kkkk
        o detector de fumaça vem com pilha?
        queria cortar o cabelo sábado
    """,
    "es": """
        venden alarmas de humo
        ¿tienen cocina a gas?
        el cajero se tragó mi tarjeta
        agua con gas o sin gas?
        me muero de risa jaja
        ¿el detector de humo trae pila?
        ¿me llamas luego por lo del cargador?
    """,
    "fr": """
        vous vendez des gazinières ?
        le distributeur a avalé ma carte
        eau gazeuse ou plate ?
        je suis mort de rire mdr
        le détecteur de fumée est livré avec la pile ?
    """,
    "de": """
        habt ihr gasgrills?
        der automat hat meine karte geschluckt
        ist der rauchmelder mit batterie?
        das brot riecht gut
        ich habe die überweisung noch nicht gemacht
    """,
    "it": """
        vendete piani a gas?
        il bancomat ha ingoiato la mia carta
        acqua gassata o naturale?
        il rilevatore di fumo ha la pila?
        sono scoppiata a ridere
    """,
    "ar": """
        عندكم بوتاجاز؟
        الصراف بلع بطاقتي
        بكم كاشف الدخان؟
        ريحة العطر حلوة
        كم سعر البطارية
    """,
    "zh": """
        你们卖煤气灶吗
        取款机吞了我的卡
        烟雾报警器多少钱
        笑死我了哈哈
        想吃火锅
    """,
    "ja": """
        ガスコンロはありますか
        ATMにカードを飲み込まれました
        火災報知器はいくらですか
        花火大会は何時からですか
        このお茶はいい匂いですね
    """,
    "ko": """
        가스레인지 파나요
        연기 감지기 얼마예요
        이 향수 냄새 좋네요
        이 배우 연기력 좋네요
        배고파 죽겠다 ㅋㅋ
    """,
}


def lines(table: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (language, line.strip()) for language, block in table.items() for line in block.strip().splitlines()
    ]


@pytest.mark.parametrize(("language", "text"), lines(DANGERS))
def test_a_danger_is_critical_and_no_step_towards_a_purchase(language: str, text: str) -> None:
    for prior in (None, language):
        reading = read(text, now=NOW, language=prior)
        assert (reading.urgency, reading.buying_signal) == ("critical", None)
        assert reading.urgency_confidence >= 0.8
        assert reading.intent != "spam"


@pytest.mark.parametrize(("language", "text"), lines(HARMLESS))
def test_words_of_danger_alone_alarm_nobody(language: str, text: str) -> None:
    for prior in (None, language):
        assert read(text, now=NOW, language=prior).urgency not in {"critical", "urgent"}


def test_dangers_are_tried_in_every_language_on_lines_that_taught_nothing() -> None:
    assert set(DANGERS) == set(HARMLESS) == set(LANGUAGES)
    taught = {example.text for example in written_examples("urgency")}
    assert not taught.intersection(text for _, text in [*lines(DANGERS), *lines(HARMLESS)])


@pytest.mark.parametrize(
    "text",
    [
        "someone just emptied my trading account, please freeze it",
        "alguém tá esvaziando minha conta de investimento, me ajuda",
        "están vaciando mi cuenta de criptomonedas, bloqueadla",
    ],
)
def test_a_danger_is_never_spam(text: str) -> None:
    reading = read(text, now=NOW)
    assert (reading.intent != "spam", reading.urgency) == (True, "critical")
