"""The times that questions tell, asked on Wednesday, 16 August 2023, at 14:30 UTC."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemolog.projections.moments.moments import Moment, moments
from mnemolog.schema.times import HOUR, MAX_MS, MIN_MS, from_datetime

NOW = from_datetime(datetime(2023, 8, 16, 14, 30, tzinfo=UTC))

#: A span as `from..until`, without what is open; an order with its event.
TOLD: list[tuple[str, list[str]]] = [
    ("What did I do yesterday?", ["2023-08-15..2023-08-16"]),
    ("What did we talk about last week?", ["2023-08-07..2023-08-14"]),
    ("What did I eat this morning?", ["2023-08-16T05:00..2023-08-16T12:00"]),
    ("What happened two days ago?", ["2023-08-14..2023-08-15"]),
    ("What did I read in the last three weeks?", ["2023-07-27..2023-08-17"]),
    ("What happened in May 2023?", ["2023-05-01..2023-06-01"]),
    ("What happened in May?", ["2023-05-01..2023-06-01"]),
    ("What did I say on 7 May 2023?", ["2023-05-07..2023-05-08"]),
    ("What did I say on May 7th?", ["2023-05-07..2023-05-08"]),
    ("What happened in 2022?", ["2022-01-01..2023-01-01"]),
    ("Where did I go last summer?", ["2022-06-01..2022-09-01"]),
    ("What did I do on Monday?", ["2023-08-14..2023-08-15"]),
    ("Who visited over Christmas 2022?", ["2022-12-24..2022-12-27"]),
    ("What happened between March and June 2023?", ["2023-03-01..2023-07-01"]),
    ("What have I done since January?", ["2023-01-01.."]),
    ("What did I do until March 2023?", ["..2023-04-01"]),
    ("What did I do before June 2023?", ["..2023-06-01"]),
    ("What happened in early 2023?", ["2023-01-01..2023-05-01"]),
    ("What happened in late 2023?", ["2023-09-01..2024-01-01"]),
    ("What happened last year?", ["2022-01-01..2023-01-01"]),
    ("When did we first meet?", ["first"]),
    ("What did you say the first time?", ["first"]),
    ("Where was I the last time we spoke?", ["last"]),
    ("What did I most recently buy?", ["last"]),
    ("Where did I live before I moved?", ["before I moved"]),
    ("What did we do after the wedding?", ["after the wedding"]),
    ("What have I learned since I quit?", ["after I quit"]),
    ("Before I moved to Berlin, where did I live?", ["before I moved to Berlin"]),
    ("Was haben wir letzte Woche gemacht?", ["2023-08-07..2023-08-14"]),
    ("Was habe ich am 3. März gesagt?", ["2023-03-03..2023-03-04"]),
    ("Was ist vor drei Tagen passiert?", ["2023-08-13..2023-08-14"]),
    ("Wo wohnte ich, bevor ich umzog?", ["before ich umzog"]),
    ("Was haben wir zuletzt besprochen?", ["last"]),
    ("¿Qué hice la semana pasada?", ["2023-08-07..2023-08-14"]),
    ("¿Qué pasó en mayo de 2023?", ["2023-05-01..2023-06-01"]),
    ("¿Dónde vivía antes de mudarme?", ["before mudarme"]),
    ("¿Cuándo fue la última vez que hablamos?", ["last"]),
    ("Qu'ai-je fait hier ?", ["2023-08-15..2023-08-16"]),
    ("Qu'est-ce que j'ai fait la semaine dernière ?", ["2023-08-07..2023-08-14"]),
    ("What did John do the week before August 3, 2023 involving his kids?", ["2023-07-27..2023-08-03"]),
    ("What is the name of Maria's puppy she got two weeks before August 11, 2023?", ["2023-07-24..2023-07-31"]),
    ("What did Joanna contribute to on the Sunday before October 25, 2022?", ["2022-10-23..2022-10-24"]),
    ("Where was John between August 11 and August 15 2023?", ["2023-08-11..2023-08-16"]),
    ("Was the first half of September 2022 a good month?", ["2022-09-01..2022-09-16"]),
    ("Which country was Tim visiting in the second week of November?", ["2022-11-08..2022-11-15"]),
    ("What did I do between 3 and 5 May 2023?", ["2023-05-03..2023-05-06"]),
    ("What did I do from 3 to 5 May 2023?", ["2023-05-03..2023-05-06"]),
    ("What did I do on 2023-05-07?", ["2023-05-07..2023-05-08"]),
    ("What happened on 31/12/2022?", ["2022-12-31..2023-01-01"]),
    ("What did I do the day before yesterday?", ["2023-08-14..2023-08-15"]),
    ("What did I do yesterday evening?", ["2023-08-15T17:00..2023-08-16"]),
    ("What did I do last night?", ["2023-08-15T18:00..2023-08-16T06:00"]),
    ("What am I doing tonight?", ["2023-08-16T18:00..2023-08-17T06:00"]),
    ("What are my plans for tomorrow?", ["2023-08-17..2023-08-18"]),
    ("What will I do next Friday?", ["2023-08-18..2023-08-19"]),
    ("What did we do at the weekend?", ["2023-08-12..2023-08-14"]),
    ("What did we do last weekend?", ["2023-08-12..2023-08-14"]),
    ("What did I get for Christmas?", ["2022-12-24..2022-12-27"]),
    ("What did we do at Easter 2022?", ["2022-04-15..2022-04-19"]),
    ("What did I do on New Year's Eve?", ["2022-12-31..2023-01-02"]),
    ("What happened in Q1 2023?", ["2023-01-01..2023-04-01"]),
    ("What music did I like in the 1990s?", ["1990-01-01..2000-01-01"]),
    ("What happened at the end of May?", ["2023-05-21..2023-06-01"]),
    ("What happened at the beginning of the year?", ["2023-01-01..2023-05-01"]),
    ("What happened in mid-2022?", ["2022-05-01..2022-09-01"]),
    ("What did I write five minutes ago?", ["2023-08-16T14:24..2023-08-16T14:26"]),
    ("What did I ask an hour ago?", ["2023-08-16T12:30..2023-08-16T14:30"]),
    ("What did I do in the past week?", ["2023-08-10..2023-08-17"]),
    ("What have I bought in the last month?", ["2023-07-17..2023-08-17"]),
    ("What happened over the past year?", ["2022-08-17..2023-08-17"]),
    ("What did I do a couple of weeks ago?", ["2023-07-31..2023-08-07"]),
    ("What did I do a few days ago?", ["2023-08-13..2023-08-14"]),
    ("Where was I on May 7, 2023 at 5pm?", ["2023-05-07..2023-05-08"]),
    ("Where was I on the 3rd of March?", ["2023-03-03..2023-03-04"]),
    ("Where did I live from 2019 to 2021?", ["2019-01-01..2022-01-01"]),
    ("Where did I live between 2019 and 2021?", ["2019-01-01..2022-01-01"]),
    ("What did we discuss from Monday to Wednesday?", ["2023-08-07..2023-08-10"]),
    ("What did I do this week?", ["2023-08-14..2023-08-21"]),
    ("What has happened this year?", ["2023-01-01..2024-01-01"]),
    ("What happened last May?", ["2023-05-01..2023-06-01"]),
    ("What happened last August?", ["2022-08-01..2022-09-01"]),
    ("What did I do last Monday?", ["2023-08-14..2023-08-15"]),
    ("What did I eat on Monday morning?", ["2023-08-14T05:00..2023-08-14T12:00"]),
    ("What was the last thing I told you?", ["last"]),
    ("What was the first thing we talked about?", ["first"]),
    ("When did I last see Anna?", ["last"]),
    ("When did Anna first mention her dog?", ["first"]),
    ("What's my latest address?", ["last"]),
    ("What was I doing until I met Anna?", ["before I met Anna"]),
    ("How have I felt since the surgery?", ["after the surgery"]),
    ("After I got the job, what changed?", ["after I got the job"]),
    ("Before moving to Spain where did I work?", ["before moving to Spain"]),
    ("What did I eat in the two weeks after 3 May 2023?", ["2023-05-04..2023-05-18"]),
    ("What did I do the day after 3 May 2023?", ["2023-05-04..2023-05-05"]),
    ("After May 2023 what did I do?", ["2023-06-01.."]),
    ("What did I do after 3 May and before 10 June?", ["2023-05-04..2023-06-10"]),
    ("since 2020, who have I worked with?", ["2020-01-01.."]),
    ("WHAT DID I DO LAST WEEK?", ["2023-08-07..2023-08-14"]),
    ("what happened in may", ["2023-05-01..2023-06-01"]),
    ("what happened in march", ["2023-03-01..2023-04-01"]),
    ("what did i do last march", ["2023-03-01..2023-04-01"]),
    ("where was i in dec 2022", ["2022-12-01..2023-01-01"]),
    ("Was habe ich gestern Abend gegessen?", ["2023-08-15T17:00..2023-08-16"]),
    ("Was habe ich letzten Montag gemacht?", ["2023-08-14..2023-08-15"]),
    ("Was war am Montag?", ["2023-08-14..2023-08-15"]),
    ("Was war im Mai 2023?", ["2023-05-01..2023-06-01"]),
    ("Was habe ich seit Januar gelernt?", ["2023-01-01.."]),
    ("Was haben wir letzten Sommer gemacht?", ["2022-06-01..2022-09-01"]),
    ("Was war vor einem Jahr?", ["2022-01-01..2023-01-01"]),
    ("Was habe ich in den letzten zwei Wochen gelesen?", ["2023-08-03..2023-08-17"]),
    ("Was habe ich Anfang 2023 gemacht?", ["2023-01-01..2023-05-01"]),
    ("Wo war ich vor der Hochzeit?", ["before der Hochzeit"]),
    ("Was machten wir nach der Hochzeit?", ["after der Hochzeit"]),
    ("Was hat sich geändert, seit ich kündigte?", ["after ich kündigte"]),
    ("Wann haben wir uns zum ersten Mal getroffen?", ["first"]),
    ("Was war heute Morgen?", ["2023-08-16T05:00..2023-08-16T12:00"]),
    ("Was mache ich morgen?", ["2023-08-17..2023-08-18"]),
    ("¿Qué hice ayer por la tarde?", ["2023-08-15T12:00..2023-08-15T18:00"]),
    ("¿Qué hice el lunes?", ["2023-08-14..2023-08-15"]),
    ("¿Qué hice el lunes pasado?", ["2023-08-14..2023-08-15"]),
    ("¿Qué hice hace tres semanas?", ["2023-07-24..2023-07-31"]),
    ("¿Qué hice el verano pasado?", ["2022-06-01..2022-09-01"]),
    ("¿Qué hice el 7 de mayo?", ["2023-05-07..2023-05-08"]),
    ("¿Qué hice el 7 de mayo de 2022?", ["2022-05-07..2022-05-08"]),
    ("¿Qué pasó entre marzo y junio de 2023?", ["2023-03-01..2023-07-01"]),
    ("¿Qué he hecho desde enero?", ["2023-01-01.."]),
    ("¿Dónde vivía antes de 2020?", ["..2020-01-01"]),
    ("¿Qué hicimos después de la boda?", ["after la boda"]),
    ("¿Cuándo nos vimos por primera vez?", ["first"]),
    ("¿Qué hago mañana?", ["2023-08-17..2023-08-18"]),
    ("Qu'ai-je fait le 7 mai 2022 ?", ["2022-05-07..2022-05-08"]),
    ("Qu'est-ce que j'ai mangé hier soir ?", ["2023-08-15T17:00..2023-08-16"]),
    ("Où étais-je en mars ?", ["2023-03-01..2023-04-01"]),
    ("Où étais-je l'été dernier ?", ["2022-06-01..2022-09-01"]),
    ("Que s'est-il passé il y a trois semaines ?", ["2023-07-24..2023-07-31"]),
    ("Où habitais-je avant de déménager ?", ["before déménager"]),
    ("Qu'avons-nous fait après le mariage ?", ["after le mariage"]),
    ("La dernière fois que nous avons parlé ?", ["last"]),
    ("Quand nous sommes-nous rencontrés pour la première fois ?", ["first"]),
    ("Cosa ho fatto la settimana scorsa?", ["2023-08-07..2023-08-14"]),
    ("Cosa ho fatto ieri sera?", ["2023-08-15T17:00..2023-08-16"]),
    ("Cosa ho fatto tre giorni fa?", ["2023-08-13..2023-08-14"]),
    ("Dove ero a maggio 2023?", ["2023-05-01..2023-06-01"]),
    ("Dove abitavo prima di trasferirmi?", ["before trasferirmi"]),
    ("Quando ci siamo visti per la prima volta?", ["first"]),
    ("O que eu fiz na semana passada?", ["2023-08-07..2023-08-14"]),
    ("O que eu fiz ontem?", ["2023-08-15..2023-08-16"]),
    ("O que eu fiz há três dias?", ["2023-08-13..2023-08-14"]),
    ("Onde eu estava em maio de 2023?", ["2023-05-01..2023-06-01"]),
    ("Onde eu morava antes de me mudar?", ["before me mudar"]),
    ("Quando nos vimos pela última vez?", ["last"]),
    ("When did I last water the plants?", ["last"]),
    ("What did I eat before bed yesterday?", ["2023-08-15..2023-08-16"]),
    ("Do I have plans in the fall?", ["2023-09-01..2023-12-01"]),
    ("What plans did I have in June?", ["2023-06-01..2023-07-01"]),
    ("notes from 2023-05-07", ["2023-05-07..2023-05-08"]),
    ("What changed since last summer?", ["2022-06-01.."]),
    ("What did May say in May?", ["2023-05-01..2023-06-01"]),
    ("What did I do in the first week of May 2023?", ["2023-05-01..2023-05-08"]),
    ("What did we do on the evening of 7 July 2023?", ["2023-07-07T17:00..2023-07-08"]),
    ("Where did Caroline move from 4 years ago?", ["2019-01-01..2020-01-01"]),
    ("What happened in the second half of 2022?", ["2022-07-01..2023-01-01"]),
    ("How many tournaments has Nate won by July 10, 2022?", ["..2022-07-11"]),
    ("What did I say about my sister in late June?", ["2023-06-21..2023-07-01"]),
    ("Where was I in the week before 16 November 2022?", ["2022-11-09..2022-11-16"]),
    ("上个月我做了什么？", ["2023-07-01..2023-08-01"]),
    ("去年五月发生了什么？", ["2022-05-01..2022-06-01"]),
    ("昨天我们聊了什么？", ["2023-08-15..2023-08-16"]),
    ("三天前我吃了什么？", ["2023-08-13..2023-08-14"]),
    ("2023年5月7日我说了什么？", ["2023-05-07..2023-05-08"]),
    ("上周三我去了哪里？", ["2023-08-09..2023-08-10"]),
    ("从三月到六月我做了什么？", ["2023-03-01..2023-07-01"]),
    ("2022年3月到6月之间发生了什么？", ["2022-03-01..2022-07-01"]),
    ("最近三个星期我读了什么？", ["2023-07-27..2023-08-17"]),
    ("我搬家之前住在哪里？", ["before 我搬家"]),
    ("婚礼之后我们去了哪里？", ["after 婚礼"]),
    ("我们第一次见面是什么时候？", ["first"]),
    ("上次我们谈了什么？", ["last"]),
    ("去年夏天我去了哪里？", ["2022-06-01..2022-09-01"]),
    ("昨晚我吃了什么？", ["2023-08-15T18:00..2023-08-16T06:00"]),
    ("先週何をしましたか？", ["2023-08-07..2023-08-14"]),
    ("昨日何を食べましたか？", ["2023-08-15..2023-08-16"]),
    ("3日前に何がありましたか？", ["2023-08-13..2023-08-14"]),
    ("引っ越す前にどこに住んでいましたか？", ["before 引っ越す"]),
    ("結婚した後どこへ行きましたか？", ["after 結婚した"]),
    ("先週の月曜日に何をした？", ["2023-08-07..2023-08-08"]),
    ("5月から7月まで何をした？", ["2023-05-01..2023-08-01"]),
    ("今年一月以来我学了什么？", ["2023-01-01.."]),
    ("週末に何をした？", ["2023-08-12..2023-08-14"]),
    ("2022年以前我住在哪里？", ["..2022-01-01"]),
]
TELLS_NO_TIME = [
    "May I ask you something?",
    "What may have caused the delay?",
    "Who may join in the march on Saturdays?",
    "How far did I march 10 miles ago?",
    "What is my last name?",
    "What is my first name?",
    "Did I take a first aid course?",
    "Who won first place?",
    "Who lives on the first floor?",
    "Who came second?",
    "Give me a second.",
    "What is 2023?",
    "What did I say about the May release?",
    "Did I mention Rust before?",
    "How did the fall in prices affect me?",
    "What was my last job?",
    "Which Python 3.12 feature do I like?",
    "Do I use Windows 2000?",
    "What do I know about version 1.2.2023?",
    "What do I need now?",
    "Who is April?",
    "What does April like?",
    "What did I hear from April?",
    "Did June call?",
    "What did I give to June?",
    "What does August think of May?",
    "What is in April's kitchen?",
    "Did Will call?",
    "What will I need?",
    "Does the sun set in the west?",
    "What is Mon Calamari?",
    "Did I sat on the chair?",
    "What color is the sun?",
    "Does Jan like tea?",
    "How long did the meeting last?",
    "At last, what did we decide?",
    "Last but not least, who is coming?",
    "What's the last straw for me?",
    "Do I like The Last of Us?",
    "What is my favourite day?",
    "How many days are in a week?",
    "How many hours do I work in a week?",
    "How often do I run in a month?",
    "What do I do in the morning?",
    "What do I usually do on Monday?",
    "Do I like winter?",
    "What is my favourite season, spring or fall?",
    "Did I fall in the garden?",
    "What did I say about the Christmas party?",
    "Do I like Christmas?",
    "Who was I named after?",
    "Who looks after my cat?",
    "What happened after all?",
    "Have I told you that before?",
    "What do I do before breakfast?",
    "What do I do after work?",
    "How did it look before and after?",
    "Do I like summer camp?",
    "Did I work at the summer job?",
    "How many people walked over 2000 steps?",
    "How many steps are in 2000 steps?",
    "What costs around 2000 dollars?",
    "Do I own a Peugeot 2008?",
    "Do I like Blade Runner 2049?",
    "What did I write in room 2020?",
    "What year did John start surfing?",
    "In which month did John score?",
    "What is the weather like?",
    "Should I bring an umbrella since it's raining?",
    "Why do I like it since you say so?",
    "What is our address?",
    "What time is it?",
    "Is it all right to wait until the bus comes?",
    "Which one comes first?",
    "Who goes first?",
    "What's the first half like?",
    "Do I have a first class ticket?",
    "What was it like back then?",
    "What's the past tense of go?",
    "What is next?",
    "What happened the next morning?",
    "Who is next in line?",
    "Where do I keep the summer clothes?",
    "What is my favourite Monday song?",
    "Was ist hier passiert?",
    "Was mag ich?",
    "Mag ich den Mai?",
    "Was mache ich jeden Morgen?",
    "Wer ist vor mir?",
    "Wie heißt meine letzte Firma?",
    "Wer war der Erste?",
    "¿Qué me gusta?",
    "¿Qué hago por la mañana?",
    "¿Quién es el primero?",
    "¿Quién es Domingo?",
    "¿Dónde está el Mar Negro?",
    "Qui habite ici ?",
    "Ça a été comment ?",
    "Est-ce que je mange une fois par jour ?",
    "Quel est mon nom ?",
    "Come mi chiamo?",
    "Cosa fa mia sorella?",
    "O que eu faço?",
    "我的名字是什么？",
    "这周围有什么好吃的？",
    "五月天的歌我喜欢吗？",
    "谁是第一名？",
    "以前",
    "名前は何ですか？",
    "目の前にあるのは何ですか？",
    "春樹が好きですか？",
    "?",
    "1999",
    "12:30",
    "3.5 days",
]


def _time(ms: int) -> str:
    time = datetime.fromtimestamp(ms / 1000, tz=UTC)
    return time.strftime("%Y-%m-%d" if (time.hour, time.minute) == (0, 0) else "%Y-%m-%dT%H:%M")


def _shown(moment: Moment) -> str:
    if moment.kind == "span":
        start = "" if moment.start == MIN_MS else _time(moment.start)
        return f"{start}..{'' if moment.end == MAX_MS else _time(moment.end)}"
    assert (moment.start, moment.end) == (MIN_MS, MAX_MS)
    return f"{moment.kind} {moment.text}" if moment.kind in {"before", "after"} else moment.kind


def _told(question: str, now: int = NOW, utc_offset_min: int = 0) -> list[str]:
    return [_shown(moment) for moment in moments(question, now, utc_offset_min)]


@pytest.mark.parametrize(("question", "expected"), TOLD)
def test_a_question_tells_its_times(question: str, expected: list[str]) -> None:
    assert _told(question) == expected


@pytest.mark.parametrize("question", TELLS_NO_TIME)
def test_words_that_only_look_like_times_tell_none(question: str) -> None:
    assert _told(question) == []


def test_the_words_that_tell_a_time_are_given_as_they_stand() -> None:
    assert [
        one.text for one in moments("So, What Did I Do In May 2022, and where did I live before I moved?", NOW)
    ] == [
        "In May 2022",
        "I moved",
    ]


def test_a_day_is_the_askers_not_that_of_utc() -> None:
    late = from_datetime(datetime(2023, 8, 16, 23, 30, tzinfo=UTC))
    (there,) = moments("What did I do yesterday?", late, 120)
    (here,) = moments("What did I do yesterday?", late)
    assert _told("What did I do yesterday?", late) == ["2023-08-15..2023-08-16"]
    assert there.start - here.start == 22 * HOUR
    assert there.end - there.start == 24 * HOUR


def test_a_month_in_a_date_belongs_to_an_event_where_the_event_has_it() -> None:
    assert _told("What did I do after the trip in May 2022?") == ["after the trip in May 2022"]


def test_what_is_asked_about_the_future_lies_ahead() -> None:
    assert _told("What will I do on Monday?") == ["2023-08-21..2023-08-22"]
    assert _told("What is planned for December?") == ["2023-12-01..2024-01-01"]
    assert _told("What will happen in May?") == ["2024-05-01..2024-06-01"]


def test_a_name_in_another_script_does_not_hide_a_time() -> None:
    assert _told("What did 山田 say last week?") == ["2023-08-07..2023-08-14"]


def test_of_a_long_text_only_the_sentences_that_ask_are_read() -> None:
    talk = "Today is a fine day and I walked for a long while along the river with my neighbours. " * 3
    assert _told(talk + "What did I eat in May?") == ["2023-05-01..2023-06-01"]
    assert _told("I saw her last week. What did she say?") == ["2023-08-07..2023-08-14"]


@pytest.mark.parametrize("year", range(1990, 2040))
def test_easter_and_thanksgiving_fall_on_their_days_of_the_week(year: int) -> None:
    (easter,) = moments(f"What did we do at Easter {year}?", NOW)
    (thanks,) = moments(f"What did we do over Thanksgiving {year}?", NOW)
    friday = datetime.fromtimestamp(easter.start / 1000, tz=UTC)
    thursday = datetime.fromtimestamp(thanks.start / 1000, tz=UTC)
    assert (friday.weekday(), thursday.weekday()) == (4, 3)
    assert (3, 20) <= (friday.month, friday.day) <= (4, 23)
    assert (11, 22) <= (thursday.month, thursday.day) <= (11, 28)


def test_easter_is_that_of_the_church_calendar() -> None:
    # Dates published by the United States Naval Observatory; Easter Sunday is the third of the four days.
    for sunday in ("2000-04-23", "2008-03-23", "2011-04-24", "2023-04-09", "2024-03-31", "2025-04-20"):
        (easter,) = moments(f"What did we do at Easter {sunday[:4]}?", NOW)
        assert _time(easter.start + 48 * HOUR) == sunday


@pytest.mark.parametrize("month", range(1, 13))
def test_each_day_of_a_month_is_read_alike_in_all_languages(month: int) -> None:
    names = {
        "on {day} {name} 2022?": "January February March April May June July August September October November December",
        "Was war am {day}. {name} 2022?": "Januar Februar März April Mai Juni Juli August September Oktober November "
        "Dezember",
        "¿Qué hice el {day} de {name} de 2022?": "enero febrero marzo abril mayo junio julio agosto septiembre octubre "
        "noviembre diciembre",
        "Où étais-je le {day} {name} 2022 ?": "janvier février mars avril mai juin juillet août septembre octobre "
        "novembre décembre",
        "Dove ero il {day} {name} 2022?": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre "
        "novembre dicembre",
        "O que eu fiz em {day} de {name} de 2022?": "janeiro fevereiro março abril maio junho julho agosto setembro "
        "outubro novembro dezembro",
        "2022年{name}月{day}日我做了什么？": "1 2 3 4 5 6 7 8 9 10 11 12",
    }
    for question, months in names.items():
        for day in (1, 8, 15, 28):
            asked = question.format(day=day, name=months.split()[month - 1])
            assert _told(asked)[0].startswith(f"2022-{month:02}-{day:02}.."), asked


_PIECES = sorted({word for question, _ in TOLD for word in question.split()})


@given(st.one_of(st.text(max_size=300), st.lists(st.sampled_from(_PIECES), max_size=20).map(" ".join)))
def test_any_text_is_taken(question: str) -> None:
    for one in moments(question, NOW):
        assert MIN_MS <= one.start < one.end <= MAX_MS
        assert one.text.strip() == one.text != ""
    assert moments(question, NOW) == moments(question, NOW)


@pytest.mark.parametrize("now", [MIN_MS, MIN_MS + 1, 0, MAX_MS - 1, MAX_MS])
def test_any_time_of_asking_is_taken(now: int) -> None:
    for question, _ in TOLD:
        for one in moments(question, now, 840):
            assert MIN_MS <= one.start < one.end <= MAX_MS


def test_neither_the_machines_time_zone_nor_its_language_matters() -> None:
    questions = [question for question, _ in TOLD[:40]]
    program = (
        "import sys\nfrom mnemolog.projections.moments.moments import moments\n"
        "print([moments(question, int(sys.argv[1])) for question in sys.argv[2:]])"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program, str(NOW), *questions],
            env={**os.environ, "TZ": zone, "LC_ALL": language},
            capture_output=True,
            check=True,
            text=True,
            encoding="utf-8",
        ).stdout
        for zone, language in (("UTC", "C.UTF-8"), ("Pacific/Kiritimati", "C"))
    }
    assert seen == {str([moments(question, NOW) for question in questions]) + "\n"}
