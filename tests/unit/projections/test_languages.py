"""Questions in scripts without spaces, over messages of one person; each is answered by one message."""

from __future__ import annotations

import pytest

JAPANESE = [
    ("去年の夏に京都へ旅行しました。", "京都に行ったのはいつですか？"),
    ("新しい自転車を駅前の店で買いました。", "自転車はどこで買ったの？"),
    ("妹は大学で物理学を勉強しています。", "妹は何を勉強していますか？"),
    ("猫の名前はミケです。", "猫は何という名前？"),
    ("毎朝六時に起きてジョギングをします。", "朝のジョギングは何時から？"),
    ("会社の健康診断は来週の火曜日です。", "健康診断の日を教えてください。"),
    ("プログラミング言語はPythonが一番好きです。", "好きなプログラミング言語は？"),
    ("父の誕生日に腕時計を贈りました。", "父の誕生日のプレゼントは何だった？"),
    ("アレルギーがあるので海老は食べられません。", "食物アレルギーはありますか？"),
    ("引っ越し先は横浜のマンションに決めました。", "引っ越しはどこに決めた？"),
]
THAI = [
    ("เมื่อปีที่แล้วฉันไปเที่ยวเชียงใหม่กับครอบครัว", "ไปเที่ยวเชียงใหม่เมื่อไหร่"),
    ("ฉันซื้อจักรยานคันใหม่ที่ร้านหน้าสถานีรถไฟ", "ซื้อจักรยานที่ไหน"),
    ("น้องสาวเรียนฟิสิกส์ที่มหาวิทยาลัย", "น้องสาวเรียนอะไร"),
    ("แมวของฉันชื่อส้มโอ", "แมวชื่ออะไร"),
    ("ทุกเช้าฉันตื่นหกโมงไปวิ่งในสวนสาธารณะ", "ตอนเช้าไปวิ่งที่สวนไหน"),
    ("นัดตรวจสุขภาพประจำปีวันอังคารหน้า", "ตรวจสุขภาพวันไหน"),
    ("ฉันชอบเขียนโปรแกรมด้วยภาษา Python มากที่สุด", "ชอบเขียนโปรแกรมภาษาอะไร"),
    ("ฉันให้นาฬิกาข้อมือเป็นของขวัญวันเกิดพ่อ", "ของขวัญวันเกิดพ่อคืออะไร"),
    ("ฉันแพ้อาหารทะเลจึงกินกุ้งไม่ได้", "แพ้อาหารอะไรบ้าง"),
    ("เราตัดสินใจย้ายบ้านไปอยู่ภูเก็ต", "จะย้ายบ้านไปที่ไหน"),
]
CHINESE = [
    ("我去年夏天去了北京旅行。", "什么时候去的北京？"),
    ("我在车站前的商店买了一辆自行车。", "自行车是在哪里买的？"),
    ("妹妹在大学学习物理。", "妹妹学什么专业？"),
    ("我的猫叫小花。", "猫叫什么名字？"),
]


@pytest.mark.parametrize("with_vectors", [True, False], ids=["with vectors", "by full text alone"])
@pytest.mark.parametrize("cases", [JAPANESE, THAI, CHINESE], ids=["japanese", "thai", "chinese"])
def test_every_question_is_answered_by_its_message_first(tmp_path, memory, wordllama, cases, with_vectors):
    told = type(memory)(tmp_path / "told.db", wordllama)
    for place, (message, _) in enumerate(cases):
        told.say(message, session=f"day{place}")
    if with_vectors:
        told.embed()
    wrong = [question for message, question in cases if told.found(question)[:1] != [message]]
    told.con.close()
    assert wrong == []
