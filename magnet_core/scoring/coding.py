"""Coding of what the counsellor says, sentence by sentence, and the words two texts share.

The form codes follow common practice-coding manuals (open and closed questions, simple and complex reflections, advice, information,
affirmation), with normalizing and in-session instruction as a cognitive-behavioural session has them. The moves name what a sentence
does for the session (agenda, feedback, …). A sentence may carry several codes, or none. What the codes are worth against a blind
hand-coding is in docs/rater.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from magnet_core.domain import Session, Utterance
from magnet_core.guards import wordless

Code = Literal[
    "open-question",
    "closed-question",
    "simple-reflection",
    "complex-reflection",
    "advice",
    "instruction",
    "normalizing",
    "information",
    "affirmation",
    "agenda",
    "feedback",
    "summary",
    "homework",
    "mood",
    "close",
]
QUESTIONS: frozenset[Code] = frozenset({"open-question", "closed-question"})
REFLECTIONS: frozenset[Code] = frozenset({"simple-reflection", "complex-reflection"})
MOVES: frozenset[Code] = frozenset({"agenda", "feedback", "summary", "homework", "mood", "close"})


@dataclass(frozen=True, slots=True)
class Coded:
    """A sentence and its codes."""

    text: str
    codes: frozenset[Code]


_WH = r"(?:what(?:'s|ever)?|how|why|where|who|whose|whom|in what way)"
_INVITE = (
    r"(?:can|could|would|will) you (?:please )?(?:help me (?:to )?(?:understand|see)|tell me|say (?:a (?:bit|little) )?more|describe"
    r"|elaborate|explain|explore (?:with me|what|how)|share|walk me|talk (?:me through|about)|give me (?:an|a recent) example|expand|put into words)"
)
_OPEN = re.compile(
    rf"(?i)(?:^|[,;:–—-]\s*|\b(?:and|so|but|then|or|now|asking|if|wonder(?:ing)?)\s+){_WH}\b|{_INVITE}"
    r"|^(?:please )?(?:tell me|describe|walk me through|talk me through|say (?:a (?:bit|little) )?more)\b"
    r"|\bi(?:'m| am) (?:curious|wondering|interested)\b(?: about| in| what| how| to (?:hear|know))"
    r"|\bi(?:'d| would) (?:like|love) to (?:hear|know|understand)\b|\bhelp me (?:to )?understand\b"
)
_SCALE = (
    r"(?:nought|zero|0) (?:to|and|–|-) ?(?:ten|10|a hundred|one hundred|100)|nought at the|out of (?:ten|10|a hundred|100)"
    r"|scale of|per ?cent|what number|which number|as a number"
)
_CLOSED_HOW = re.compile(
    rf"(?i)\bhow (?:far|strong(?:ly)?|much|many|sure|confident|high|low|likely|often|old|long|true|certain)\b|{_SCALE}"
)
_INDIRECT = re.compile(
    r"(?i)^(?:please )?(?:tell me|describe|walk me through|talk me through|say (?:a (?:bit|little) )?more)\b"
    r"|\bi(?:'m| am) (?:curious|wondering|interested)\b (?:about|what|how|to (?:hear|know))\b.{25}"
    r"|\bi(?:'d| would) (?:like|love) to (?:hear|know|understand) (?:more|what|how|about)\b|\bhelp me (?:to )?understand\b"
)

_NORMAL = re.compile(
    r"(?i)\b(?:not|isn't) (?:at all )?(?:uncommon|unusual|surprising|alone|strange|odd)\b|\bno wonder\b|\bof course you\b"
    r"|\b(?:it's|it is|that's|that is|this is|is|are|a|an|quite|very|really|completely|totally|perfectly) (?:\w+ )?(?:common|normal|natural|understandable|human)\b"
    r"|\bunderstandable\b|\b(?:many|most|lots of|plenty of|a lot of|so many) (?:people|of us|others)\b|\bmost of us\b"
    r"|\b(?:almost|nearly) (?:everyone|everybody|anyone)\b|\bhardly anyone\b|\b(?:tough|hard|difficult) place to be\b|\bas these things often\b|\b(?:any(?:one|body)|everyone|everybody) (?:would|might|could|feels|has|does|gets|goes)\b|\bwould \w+ any(?:one|body)\b"
    r"|\bnormali[sz](?:e|ing)\b|\bhard to see why\b|\b(?:it's|it is) (?:okay|ok|all right|alright) (?:to|that|not)\b"
    r"|\bmakes (?:perfect |complete |a lot of )?sense (?:that|to feel|given)\b|\beasy to see why\b"
    r"|\bnothing wrong with (?:you|feeling)\b|\bpart of (?:life|being human)\b"
)
_INFORM = re.compile(
    r"(?i)\b(?:research|studies|study|evidence) (?:has |have )?(?:suggests?|shows?|shown|found|tells? us|indicates?)\b|\bthe (?:concept|idea|theory) of\b"
    r"|\b(?:our|the|a) (?:brains?|minds?|bod(?:y|ies)|nervous systems?) (?:can|is|are|tends?|gets?|learns?|sorts?|likes?|will|do|does|reads?)\b"
    r"|\b(?:is|are|it's|that's|something) (?:sometimes |often |usually )?called\b|\bknown as\b|\bin (?:cbt|cognitive)\b"
    r"|\b(?:thoughts?|feelings?|emotions?|moods?|anxiety|worry|worries|avoidance|stress|fear|people|memory|memories|beliefs?|habits?|patterns?|moments?|rules?) "
    r"(?:can|tends?|usually|often|are|is|feeds?|grows?|works?|comes?|goes?|makes?)\b(?! you\b)"
    r"|\b(?:this|that|it|which) (?:can|may) (?:\w+ )?(?:make|lead|help|be|keep|affect|become)\b|\bwe (?:all )?(?:tend to|often|usually|learn|sort|remember|see|feel|notice|read)\b"
    r"|\b(?:usually|generally|typically|as a rule|by nature|seldom|rarely)\b|\bis (?:easier|harder|better|worse) \w+ (?:\w+ ){0,4}than\b|\bwhen we\b|\ba person\b"
    r"|\bcan be an? (?:\w+ )?(?:tool|technique|way|skill|practice)\b|\b(?:often|nearly always|almost always)\b(?!.{0,20}\byou\b)|\b(?:people|everyone|everybody|anyone|those) who\b|\bour (?:\w+ ){1,3}can\b|\bhardly an?y?\b|\bunderstanding this (?:dynamic|pattern)\b"
)
_AFFIRM = re.compile(
    r"(?i)\b(?:it's|it is|that's|that is|how|really|so|what an?|is) (?:an? )?(?:so |really |very |truly )?"
    r"(?:great|good|wonderful|amazing|brave|courageous|impressive|admirable|encouraging|inspiring|remarkable|fantastic|commendable|powerful)"
    r" (?:\w+ )?(?:that you|to (?:see|hear) (?:you|that you)|of you|step|insight|start|work|achievement)\b"
    r"|\b(?:that's|is|it's|this is|been|taken|taking|took) an? (?:\w+ )?(?:huge|big|great|important|crucial|significant|brave|major|positive|powerful|real) step\b|\btaking an? (?:\w+ )?step\b|\btake this first step\b|\bi(?:'m| am) (?:really |so |very )?(?:impressed|struck|proud|moved)\b"
    r"|\btakes (?:real |a lot of |great |some )?(?:courage|strength|guts|nerve)\b|\bwell done\b|\bgive yourself credit\b"
    r"|\bi (?:really |truly )?(?:admire|appreciate)\b|\bthank(?:s| you) for (?:the work|bringing|trusting|sharing|being|your (?:honesty|openness|courage|work))"
    r"|\byou(?:'ve| have) (?:already )?(?:shown|proved|managed|made (?:real|great|good|a lot of|significant))\b|\byour (?:strength|courage|resilience|willingness|honesty)\b"
    r"|\bspeaks? (?:well of|to your)\b"
)

_OUTSIDE = (
    "try|make|get|avoid|stop|keep|start|exercise|eat|sleep|talk|join|spend|set|practi[sc]e|remember|focus|reach|write|go|find|ignore|do|use|learn|plan|call"
    "|cut|drink|meet|see|stay|surround|challenge|replace|relax|meditate|breathe|walk|work|be|don't|never|always|just|simply|prioriti[sz]e|limit|schedule|listen"
    "|forget|accept|let go|move|ask|speak|read|turn|distract|reward|treat|give yourself|tell yourself|remind|consider|think positive|cheer|calm|leave"
)
_INSIDE = (
    "pick|choose|picture|imagine|bring|look|stay with|stay in|put|notice|close your|begin|say (?:it|that|the)|hold|go down|go back|go through|think of|think back"
    "|take (?:a|one|that|the|your) (?:moment|minute|breath|look|seat|second|pen|line)|read (?:it|both|that|them|the)|share|walk through|draw|give (?:me|it|each)|rate|call (?:it|up)|start with|see (?:what|how|if|whether)|turn (?:it|to)|write (?:it|that|them) (?:down|here)|let (?:it|that|yourself)"
)
_ADVISE = re.compile(
    r"(?i)\byou(?:'d| had)? (?:really |just |simply |probably |certainly |definitely |all |first )?(?:should|must|ought to|need to|have to|had better|better|could (?:just|try|always|start|also|perhaps|consider|simply|use|do|join|make|take|set|write)"
    r"|(?:may|might) want to|can (?:just |always |simply |also )?(?:try|start|do|use|practi[sc]e))\b"
    r"|\b(?:i|i'd|i would) (?:strongly |really |also )?(?:suggest|recommend|advise|encourage you|urge you)\b|\bmy advice\b|\bif i were you\b"
    r"|\bit(?:'s| is|'d be| would be| might be| may be| could be| can be) (?:also |really |very )?(?:important|helpful|useful|best|good|essential|worth|beneficial|wise|a good idea)(?: for you)? (?:to|that you|if you)\b"
    r"|\bhave you (?:considered|thought (?:about|of)|tried)\b|\bwhy (?:not|don't you)\b|\btry (?:to|not to|and|\w+ing)\b|\bchallenge you to\b"
    r"|^by \w+ing\b.*\byou (?:can|may|might|will|could|'ll)\b|\bwhat (?:helps most|works best|you need) is\b|\bthe (?:best|first) thing (?:to do|you can do) is\b"
    rf"|^(?:(?:also|then|and|so|just|now|next|instead|please|simply|maybe|perhaps|first)[, ]+)?(?:{_OUTSIDE})\b"
)
_INSTRUCT = re.compile(
    r"(?i)\blet(?:'s| us)\b|\blet me (?:put|pass|try|show|draw|hand)\b|\bi(?:'d| would) like (?:us|you|three|two|one|a|an|its|your|to (?:put|try|build|look|draw|stay|turn|take|explore|work))\b"
    r"|\bput a number\b|\bwould you (?:put|read|picture|imagine|write|draw)\b"
    rf"|^(?:(?:also|then|and|so|just|now|next|please|first)[, ]+)?(?:in your (?:mind|imagination), )?(?:{_INSIDE})\b"
)

_REFLECT = re.compile(
    r"(?i)\b(?:sounds?|seems?|looks?|feels?) (?:to me )?(?:like|as if|as though|that)\b|\bi(?:'m| am)? (?:can )?(?:hear(?:ing)?|sense|sensing|imagine|notice|noticing|get the (?:sense|feeling))\b"
    r"|\bit(?:'s| is) (?:clear|interesting|fascinating|evident|striking|remarkable|amazing)\b.*\b(?:you|your|these|this|how|to (?:see|explore|hear))\b|\bit(?:'s| is) (?:as if|almost as)\b"
    r"|\byou(?:'re| are) (?:\w+ )?(?:feeling|struggling|carrying|caught|craving|torn|stuck|worried|afraid|saying|describing|recogni[sz]ing|trying|searching|longing|starting|holding|telling|wondering|noticing|experiencing|looking|yearning)\b"
    r"|^as (?:you(?:'ve| have|'re| are)?|i listen|we(?:'ve| have)?) \w+|\bwhat i(?:'m| am) hearing\b|\bin other words\b|\bso,? (?:you|for you|part of you|the|when|it's|even|what)\b"
    r"|^(?:and )?(?:for you|part of you|you (?:feel|want|wish|long|need|believe|fear|hope|miss|find|see|know|keep|care|said|told|mentioned|have|had|were|felt))\b|\bon (?:the )?one (?:hand|side)\b|\bno wonder you\b|\bmust (?:feel|be|have been)\b"
)
_FEELING = (
    "afraid anger angry anxious anxiety ashamed burden burdened confident confused despair desperate disappoint disappointed discouraged disconnected drained exhaust exhausted exhausting"
    " fear frustrat frustrated frustration grief guilt guilty heavy helpless hope hopeful hopeless hurt hurting identity inadequacy inadequate isolat isolated isolating lonely loneliness longing loss lost"
    " nervous numb overwhelm overwhelmed overwhelming pain painful panic pressure proud relief resent resentful sad sadness scared self-doubt self-worth shame stuck tired torn trapped uncertain"
    " uncertainty uneasy upset vulnerable weight weighing weary worry worried worthless"
)
_COMPLEX = re.compile(
    r"(?i)\b(?:not (?:only|just)|but also|at the same time|and yet|even though|underneath|beneath|deep down|because|which is why|as if|as though|part of you|caught between|torn"
    r"|on the other|no wonder|rather than|what matters|means? (?:that|to you)|sense of|tied to|a way of)\b"
)
_MIRROR = re.compile(
    r"(?i)\b(?:interesting|fascinating|great|clear) (?:that|to (?:see|explore|hear)) (?:that )?(?:you(?:'re)?|how) ?(?:mention(?:ed)?|said|recogni[sz]\w+|notic\w+|these)?"
)

_MOVES: dict[Code, re.Pattern[str]] = {
    "agenda": re.compile(
        r"(?i)\bagenda\b|\bwhat (?:would|do|should) (?:you|we) (?:like|want|need)? ?(?:to )?(?:talk about|work on|focus on|discuss|cover|use (?:today|this|our))\b"
        r"|\b(?:plan|use|hope|aim|goals?) for (?:today|this session|our (?:session|time))\b|\bwhat would be (?:useful|helpful|good) to (?:talk about|work on|cover)\b|\bwhat (?:brings|brought) you (?:here|in|today|along|to (?:see|me|this))\b|\bsession today\b|\b(?:choose|put|leave) .{0,30}\b(?:on (?:your half|the list)|for today)\b"
        r"|\bbefore we (?:start|begin),? .{0,40}\b(?:cover|order|today)\b|\bhow can i (?:support|help) you today\b"
    ),
    "feedback": re.compile(
        r"(?i)\bfeedback\b|\bhow (?:does|did) (?:that|this|it) (?:fit|sound|land|sit|seem|feel to you)\b|\bhow (?:was|has) (?:today|this session|our (?:session|time)|this been|it been (?:today|working))\b"
        r"|\bwhat (?:helped|was (?:helpful|useful|unhelpful)|worked|jarred)\b|\b(?:did|have) i (?:get|got|understood|understand|miss|rush)\b|\bis (?:that|this) (?:right|accurate|fair|how you see it)\b"
        r"|\b(?:have|did|do) (?:i|we) (?:got|get|have) (?:that|it|this) right\b|\bwhat (?:would you )?(?:keep|change)\b.{0,40}\bchange\b|\btell me where i\b|\bi may have (?:rushed|missed|got)\b"
        r"|\bwhat are your thoughts (?:on|about) (?:this|that)\b|\bdoes (?:that|this) (?:fit|make sense|sound right|match)\b|\bcorrect me\b"
    ),
    "summary": re.compile(
        r"(?i)\b(?:to )?summ(?:ari[sz]e|ary|ing up)\b|\bsum (?:up|it up|that up)\b|\b(?:we|we've|we have) (?:\w+ )?(?:talked about|covered|looked at|started (?:from|with)|slowed|discussed|worked)\b.*(?:,| and )"
        r"|\bpull(?:ing)? (?:it|this|that|the threads) together\b|\b(?:taking|take) (?:away )?from (?:today|that|this|our|it all)\b|\btoday we\b.*\b(?:and|then)\b"
    ),
    "homework": re.compile(
        r"(?i)\bhomework\b|\bbetween (?:now and|sessions|today and)\b|\b(?:this|over the|in the coming|during the|next|the coming) week,? (?:you|i'd|could|would|try|to)\b|\bbefore (?:we|our) (?:next )?(?:meet|session)\b"
        r"|\b(?:goals?|steps?|something)\b.{0,60}\b(?:next|coming|this) (?:week|few days)\b|\blittle practi[sc]e\b|\bon (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b.{0,80}\b(?:try|write|ring|call)\b|\bpracti[sc]e .{0,40}\b(?:at home|this week|each day|every day|daily)\b|\baction plan\b|\bwhat could get in the way\b|\btake (?:that|this|it) home\b|\bhow (?:sure|confident) are you (?:of|about|that you) .{0,12}(?:do(?:ing)? (?:it|this|that)|will)\b"
        r"|\bwould you (?:be willing to )?(?:try|write|keep|record|note) .{0,60}\b(?:week|day|days)\b"
    ),
    "mood": re.compile(
        r"(?i)\bmood\b|\bhow (?:have|has) (?:you|your week|the week|things|this week|this past week|it|this one) been(?: feeling)?\b(?! (?:trying|coping|able|dealing|managing))|\bhow (?:are|were) you (?:feeling|doing) (?:today|this week)\b|\bhow was your week\b"
        r"|\bwhere (?:has|was|were) (?:this|the|you|your)\b.{0,12}\b(?:past )?week\b|\bweek\b.{0,60}\bnought\b|\bnought\b.{0,90}\bweek\b"
    ),
    "close": re.compile(
        r"(?i)\btake (?:good )?care\b|\bsee you (?:next|then|soon|again)\b|\b(?:goodbye|good-bye|bye|farewell)\b|\b(?:meet|same time|speak|talk) (?:again )?next (?:week|time|session)\b|\b(?:end|out) of (?:our )?(?:time|session)\b"
        r"|\bbrings us to (?:time|the end)\b|\bour time (?:is|for today)\b|\bwe(?:'ll| will) (?:stop|end|leave it|finish|meet) (?:there|here|at|again)\b|\bsame (?:time|hour) next\b|\bwrap up\b|\bour next (?:appointment|session|meeting)\b|\blook forward to (?:seeing|our next)\b"
    ),
}

_BREAK = re.compile(r"(?<=[.!?…])(?:[\"”’')\]]+)?\s+(?=[\"“‘'(\[]?[A-Z0-9])|\n+")
_ABBREVIATED = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e)\.|\b[A-Z]\.)$")


def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of a message, in order, with their marks."""
    found: list[str] = []
    for piece in (p.strip() for p in _BREAK.split(text) if p and p.strip()):
        if found and _ABBREVIATED.search(found[-1]):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return tuple(found)


_STOP_WORDS = """a an the and or but if then so because as of at by for with about against between into through during before after to from in out on off over under again
    further once here there when where why how all any both each few more most other some such no nor not only own same than too very can will just should now
    i me my mine we our us you your yours he him his she her it its they them their what which who this that these those am is are was were be been being have has
    had having do does did doing done would could might may must shall ought let like feel feeling feelings felt think thinking thought know really get got getting
    go going goes sound sounds seem seems something anything nothing everything thing things way lot bit much even still also well one two help understand tell make
    makes making want say said says yes yeah okay ok oh i'm i've i'd i'll you're you've you'd you'll it's that's there's what's he's she's they're we're we've we'd
    we'll let's don't doesn't didn't isn't aren't wasn't weren't can't couldn't won't wouldn't shouldn't haven't hasn't hadn't"""
_STOP = frozenset(_STOP_WORDS.split())
_ENDINGS = ("ingly", "edly", "ations", "ation", "ings", "ness", "ments", "ment", "ing", "ied", "ies", "ed", "es", "ly", "s")
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|\d+")


def words(text: str) -> list[str]:
    """Return the words of a text, lower-cased, curly apostrophes made straight."""
    return _WORD.findall(text.replace("’", "'").lower())


@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:6]


@lru_cache(maxsize=4_000)
def stems(text: str) -> frozenset[str]:
    """Return the content words of a text, cut to a rough stem so that worry, worried and worries meet."""
    return frozenset(_stem(w) for w in words(text) if w not in _STOP and (len(w) > 2 or w.isdigit()))


_FEELING_STEMS = frozenset(_stem(w) for w in _FEELING.split())


def _question(sentence: str) -> Code | None:
    asks = sentence.rstrip("\"”’') ").endswith("?")
    if not asks and not _INDIRECT.search(sentence):
        return None
    clauses = re.split(rf"(?i)(?:,|;| -| –| —)? (?:and|or|but|so) (?={_WH}\b)", sentence)
    if any(_OPEN.search(clause) and not _CLOSED_HOW.search(clause) for clause in clauses):
        return "open-question"
    return "closed-question" if asks else "open-question"


def _reflection(sentence: str, heard: str, first: bool) -> Code | None:
    said, given = stems(sentence), stems(heard)
    shared = said & given
    marked = bool(_REFLECT.search(sentence))
    if not marked and not (first and shared):
        return None
    feelings = (said - given) & _FEELING_STEMS
    if _MIRROR.search(sentence) and not feelings and not _COMPLEX.search(sentence):
        return "simple-reflection"
    near = len(shared) >= 0.75 * len(said) if said else False
    if given and near and not feelings and not _COMPLEX.search(sentence):
        return "simple-reflection"
    return "complex-reflection"


def code(sentence: str, heard: str = "", *, first: bool = False) -> frozenset[Code]:
    """Return the codes of one sentence of the counsellor.

    `heard` is the client's last message; `first` tells that the sentence opens the answer to it, where an unmarked statement in the
    client's own words counts as a reflection.
    """
    plain = sentence.replace("’", "'").strip("\"“”' ")
    found: set[Code] = {move for move, pattern in _MOVES.items() if pattern.search(plain)}
    if question := _question(plain):
        found.add(question)
        if re.search(
            r"(?i)\bhave you (?:considered|thought (?:about|of)|tried)\b|\bwhy (?:not|don't you)\b|\byou should\b", plain
        ):
            found.add("advice")
    if _NORMAL.search(plain):
        found.add("normalizing")
    if question:
        return frozenset(found)
    if _AFFIRM.search(plain):
        found.add("affirmation")
    advice, instruction = _ADVISE.search(plain), _INSTRUCT.search(plain)
    if instruction and (not advice or instruction.start() <= advice.start()):
        found.add("instruction")
    elif advice:
        found.add("advice")
    acts = found & {"advice", "instruction", "agenda", "homework", "close", "summary", "mood"}
    marked = _REFLECT.search(plain)
    if (
        _INFORM.search(plain)
        and not acts & {"advice"}
        and not (marked and not re.search(r"(?i)\bresearch|studies\b", plain))
    ):
        found.add("information")
    told = found & {"information", "affirmation"}
    if not acts and not (told and not marked) and not ("normalizing" in found and not marked and not first):
        reflection = _reflection(plain, heard, first)
        if reflection and not ("normalizing" in found and not re.search(r"(?i)\byou(?:r|'re|'ve)?\b", plain)):
            found.add(reflection)
    return frozenset(found)


@lru_cache(maxsize=4_000)
def code_message(text: str, heard: str = "") -> tuple[Coded, ...]:
    """Return the coded sentences of a counsellor's message; `heard` is the client's message before it."""
    return tuple(Coded(s, code(s, heard, first=n == 0)) for n, s in enumerate(sentences(text)))


def codes_of(coded: Iterable[Coded]) -> frozenset[Code]:
    """Return every code that occurs."""
    return frozenset(c for sentence in coded for c in sentence.codes)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A counsellor's message between what the client said before and what the client said then."""

    turn: int
    """0 for the opening pair, 1 for the first turn."""
    heard: str
    said: str
    reply: str
    coded: tuple[Coded, ...]

    @property
    def codes(self) -> frozenset[Code]:
        return codes_of(self.coded)


@dataclass(frozen=True, slots=True)
class Talk:
    """A dialogue as it is coded: the exchanges with words in them, and how many messages had none."""

    exchanges: tuple[Exchange, ...]
    counsellor_empty: int
    client_empty: int

    @property
    def messages(self) -> int:
        """Return how many messages the counsellor sent, the empty ones too."""
        return len(self.exchanges) + self.counsellor_empty


def read_talk(dialogue: Session | Iterable[Utterance]) -> Talk:
    """Return the coded dialogue of a session, or of utterances in the order they were spoken.

    A message without words, or with nothing but a label, is counted and then left out: the next message answers the last words there are.
    """
    said = dialogue.transcript if isinstance(dialogue, Session) else tuple(dialogue)
    messages: list[tuple[int, str]] = []
    heard = [""]  # before each message, and after the last one
    empty = {"counsellor": 0, "client": 0}
    turn = -1
    for utterance in said:
        turn += utterance.speaker == "counsellor"
        if wordless(utterance.text):
            empty[utterance.speaker] += 1
        elif utterance.speaker == "counsellor":
            messages.append((turn, utterance.text))
            heard.append("")
        else:
            heard[-1] = f"{heard[-1]}\n{utterance.text}".strip()
    exchanges: list[Exchange] = []
    before = ""
    for place, (number, text) in enumerate(messages):
        before = heard[place] or before
        exchanges.append(Exchange(number, before, text, heard[place + 1], code_message(text, before)))
    return Talk(tuple(exchanges), empty["counsellor"], empty["client"])
