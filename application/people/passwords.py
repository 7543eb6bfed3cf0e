"""Rules for new passwords: long enough, and not among those that are guessed first."""

from collections.abc import Collection

from domain.errors import Invalid, Sentence

SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256
# Out of 4, by zxcvbn: from 3 on it takes more than 10^8 guesses.
_LOWEST_SCORE = 3
_LONGEST_SCORED = 72
_EASY_TO_GUESS = Sentence("This is easy to guess. A few random words work well.")


def check(password: str, *, personal: Collection[str]) -> None:
    """Raises `Invalid` about `password` if it is too short, too long or easy to guess.

    `personal` are names and addresses that a guesser would try first.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Invalid(
            {
                "password": [
                    Sentence(
                        "Must be {least} to {most} characters.",
                        least=SHORTEST_PASSWORD,
                        most=LONGEST_PASSWORD,
                    )
                ]
            }
        )
    if _is_easy_to_guess(password, personal):
        raise Invalid({"password": [_EASY_TO_GUESS]})


def _is_easy_to_guess(password: str, personal: Collection[str]) -> bool:
    # Its word lists take 14 MB, which only a process needs in which somebody sets a password.
    from zxcvbn import zxcvbn

    # As people write their names into passwords: whole, by parts, and without spaces.
    words = {part for text in personal for part in (text, text.replace(" ", ""), *text.split())}
    result = zxcvbn(password[:_LONGEST_SCORED], user_inputs=sorted(words), max_length=256)
    score: int = result["score"]
    return score < _LOWEST_SCORE
