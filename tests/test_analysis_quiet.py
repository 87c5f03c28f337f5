"""Talk that asks for nothing: in every language it is other, without a signal, without anger, never urgent.

None of these lines is trained on; they stand apart from `analysis/data/<language>/chatter.yaml`, which is.
"""

from datetime import UTC, datetime

import pytest

from analysis import read

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
QUIET = {
    "pt": """
        tô no meu serviço agora
        hoje está chovendo
        🤔
        ok, amanhã conversamos
        saí agora da academia
        meu marido chegou de viagem ontem
        aqui em casa é todo mundo flamenguista
        vou tomar banho e já volto
        tô no meio de uma reunião
        fui eu que liguei mais cedo
        hoje é aniversário da minha sobrinha
        vi sua mensagem só agora
        sou vizinha da padaria
        meu cachorro tá latindo aqui
        deixa eu ver aqui
        depois te falo
        moro perto da praia
        ainda tô na estrada
        trabalho como enfermeira no turno da noite
        minha filha tem 7 anos
        segunda é feriado né
        tava dormindo
        kkkkk verdade
        tô fazendo janta
        hoje o dia tá corrido por aqui
        é o número do meu marido esse
        peraí que vou estacionar
    """,
    "es": """
        ok mañana hablamos
        ahora ando en la oficina
        hoy amaneció nublado
        acabo de salir del gimnasio
        mi marido llegó ayer de viaje
        en mi casa todos somos del Boca
        me voy a bañar y vuelvo
        estoy en medio de una reunión
        fui yo la que llamó temprano
        hoy es el santo de mi tía
        recién veo tu mensaje
        soy vecina de la panadería
        mi perro está ladrando
        a ver, déjame ver
        después te digo
        vivo cerca de la playa
        sigo en la carretera
        trabajo de enfermera en el turno noche
        mi hija tiene 7 años
        el lunes es festivo no?
        estaba dormida
        jajaja verdad
        estoy haciendo la cena
        este número es de mi esposo
        espera que voy a estacionar
        hoy ando a las carreras
    """,
    "en": """
        i'm at work now
        it's raining today
        just left the gym
        my husband got back from his trip yesterday
        we're all liverpool fans in this house
        going for a shower brb
        in the middle of a meeting
        that was me who rang earlier
        it's my niece's birthday today
        only saw your message now
        my flat is above the bakery
        my dog is barking
        let me see
        i'll tell you later
        i live near the beach
        still on the road
        i work nights as a nurse
        my daughter is 7
        monday's a bank holiday right
        was asleep
        haha true
        making dinner
        this is my husband's number
        hang on i'm parking
        busy day over here
        ok speak tomorrow then
    """,
    "fr": """
        là je suis au boulot
        il fait gris aujourd'hui
        je sors de la salle de sport
        mon mari est rentré de voyage hier
        je suis en pleine réunion
        c'est l'anniversaire de ma nièce aujourd'hui
        j'habite près de la mer
        ma fille a 7 ans
        je dormais
        je te dis ça plus tard
        attends je me gare
    """,
    "de": """
        ich bin grad auf arbeit
        heute ist es bewölkt
        komme gerade vom sport
        mein mann ist gestern von der reise zurück
        stecke in einer besprechung
        meine nichte hat heute geburtstag
        ich wohne am meer
        meine tochter ist 7
        hab geschlafen
        sag ich dir später
        moment, ich parke nur
    """,
    "it": """
        ora sono in ufficio
        oggi è nuvoloso
        sono uscita adesso dalla palestra
        mio marito è tornato ieri dal viaggio
        sono in riunione
        oggi è il compleanno di mia nipote
        abito vicino al mare
        mia figlia ha 7 anni
        stavo dormendo
        te lo dico dopo
        aspetta che parcheggio
    """,
    "ar": """
        انا بالدوام الحين
        الجو غيم اليوم
        توني طالع من النادي
        زوجي رجع امس من السفر
        عندي اجتماع الحين
        اليوم عيد ميلاد بنت اختي
        ساكن قريب من البحر
        بنتي عمرها 7 سنين
        كنت نايم
        اقولك بعدين
        لحظة بوقف السيارة
    """,
    "zh": """
        我在公司呢
        今天阴天
        刚从健身房出来
        我老公昨天出差回来了
        正在开会
        今天我侄女过生日
        我家住海边
        我女儿7岁
        刚才睡着了
        回头跟你说
        等下我停个车
    """,
    "ja": """
        今会社にいます
        今日は曇りだね
        ジムから出たところ
        昨日夫が出張から帰ってきた
        会議中です
        今日は姪の誕生日
        海の近くに住んでます
        娘は7歳です
        寝てました
        あとで言うね
        ちょっと駐車します
    """,
    "ko": """
        지금 회사예요
        오늘 날씨가 흐리네요
        방금 헬스장에서 나왔어요
        남편이 어제 출장에서 돌아왔어요
        회의 중이에요
        오늘 조카 생일이에요
        바닷가 근처에 살아요
        딸이 일곱 살이에요
        자고 있었어요
        이따 말해줄게요
        잠깐 주차 좀 할게요
    """,
}
LEAST_LINES = {"pt": 25, "es": 25, "en": 25}


def lines(language: str) -> list[str]:
    return [line.strip() for line in QUIET[language].splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("language", "text"), [(language, text) for language in QUIET for text in lines(language)]
)
def test_talk_without_a_request_is_other_calm_and_no_lead(language: str, text: str) -> None:
    for prior in (None, language):
        reading = read(text, now=NOW, language=prior)
        assert (reading.intent, reading.buying_signal) == ("other", None)
        assert reading.urgency == "low"
        assert reading.sentiment in {"neutral", "positive"}


@pytest.mark.parametrize("language", list(QUIET))
def test_enough_talk_is_tried_in_every_language(language: str) -> None:
    assert len(lines(language)) >= LEAST_LINES.get(language, 10)
