"""`camdaemon completion`: a script for the shell, made from the commands that typer and the table know.

Names of scenes and backdrops are asked of the running daemon when they are completed, which takes it some milliseconds.
"""

from __future__ import annotations

import shlex
from typing import Annotated, Any, NamedTuple

import typer

from camdaemon.control import table
from camdaemon.errors import ConfigError
from camdaemon.frames.kinds import BACKDROPS

Offers = dict[str, dict[str, str]]  # words typed before, without options → word that may follow → its help

_BASH = """# camdaemon: completion for bash, made by `camdaemon completion bash`
_camdaemon() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} typed="" words="" lister="" unlisted="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${{COMP_WORDS[i]}} == -* ]] || typed+="${{typed:+ }}${{COMP_WORDS[i]}}"
    done
    while :; do # the longest known beginning: what follows it are arguments
        case "$typed" in
{cases}
            *) [[ $typed == *" "* ]] && typed=${{typed% *}} && continue ;;
        esac
        break
    done
    COMPREPLY=()
    for i in $words; do
        if [[ $i == "$word"* ]] && [[ $i != -* || $word == -* ]]; then COMPREPLY+=("$i"); fi
    done
    [[ $lister ]] || return 0
    while IFS= read -r i; do
        [[ $i == "$unlisted" || " $words " == *" $i "* ]] && continue
        if [[ $i == "$word"* ]]; then COMPREPLY+=("$(printf %q "$i")"); fi
    done < <(camdaemon "$lister" 2> /dev/null)
}}
complete -o default -F _camdaemon camdaemon
"""
_ZSH = """# camdaemon: completion for zsh, made by `camdaemon completion zsh`
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
"""
_FISH = """# camdaemon: completion for fish, made by `camdaemon completion fish`
function __camdaemon_at
    set -l typed (string join ' ' (string match -v -- '-*' (commandline -opc)[2..-1]))
    test "$typed" = "$argv[1]"; or begin
        test "$argv[2]" = arguments; and string match -q -- "$argv[1] *" "$typed"
    end
end
"""


def completion(context: typer.Context, shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print a completion script for bash, zsh or fish."""
    makers = {"bash": make_bash, "zsh": lambda offers: _ZSH + make_bash(offers), "fish": make_fish}
    if shell not in makers:
        raise ConfigError(f"{shell!r} is none of {', '.join(makers)}. Run: camdaemon completion bash")
    print(makers[shell](collect_offers(context.find_root().command)), end="")


def collect_offers(command: Any, path: str = "") -> Offers:
    """Collect what may follow each command: sub-commands, options, and the choices that the table names.

    Args:
        command: click's command.
        path: The words that it is called by, after `camdaemon`.
    """
    offers: Offers = {path: {}}
    for name, child in getattr(command, "commands", {}).items():
        if child.hidden:
            continue
        whole = f"{path} {name}".strip()  # a name of the table may have two words
        before, _, last = whole.rpartition(" ")
        offers.setdefault(before, {})[last] = _first_sentence(child.help)
        for typed, words in collect_offers(child, whole).items():
            offers.setdefault(typed, {}).update(words)
    if path and (live := table.match(path.split())):
        choices = [choice for parameter in live[0].parameters for choice in parameter.choices]
        if any(parameter.kind == "backdrop" for parameter in live[0].parameters):
            written = [kind.syntax.partition("[")[0].split(", ") for kind in BACKDROPS]
            choices += [word for words in written for word in words if word.isalpha()]
        offers[path] |= dict.fromkeys(choices, "")
    for parameter in command.params:
        names = [name for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("--")]
        offers[path] |= dict.fromkeys(names, _first_sentence(getattr(parameter, "help", "")))
    offers[path]["--help"] = "Show the help"
    return offers


class Lister(NamedTuple):
    """A command that prints the values of another one's argument, each on a line."""

    word: str  # as typed
    empty: str  # what it prints where there are none


def find_lister(typed: str) -> Lister | None:
    """Return what lists the argument of the command that `typed` names; None where nothing does."""
    found = table.match(typed.split())
    words = [parameter.listed_by for parameter in found[0].parameters if parameter.listed_by] if found else []
    if not words or not (listing := table.match(words)):
        return None
    row = listing[0]
    return Lister(words[0], table.find(row.instead).empty if row.instead else row.empty)


def make_bash(offers: Offers) -> str:
    """Write the script for bash, which zsh reads as well."""
    cases = []
    for typed, words in offers.items():
        asked = f" lister={lister.word} unlisted={shlex.quote(lister.empty)}" if (lister := find_lister(typed)) else ""
        cases.append(f"{' ' * 12}{shlex.quote(typed)}) words={shlex.quote(' '.join(words))}{asked} ;;")
    return _BASH.format(cases="\n".join(cases))


def make_fish(offers: Offers) -> str:
    """Write the script for fish, which shows each word's help."""
    lines = []
    for typed, words in offers.items():
        is_group = any(other.startswith(f"{typed} ".lstrip()) for other in offers if other != typed)
        at = f"__camdaemon_at {shlex.quote(typed)} {'' if is_group else 'arguments'}".strip()
        for word, text in words.items():
            what = f"-l {word.removeprefix('--')}" if word.startswith("--") else f"-a {shlex.quote(word)}"
            lines.append(f"complete -c camdaemon -n {shlex.quote(at)} {what} -d {_fish_quote(text)}")
        if lister := find_lister(typed):
            names = f"(camdaemon {lister.word} 2> /dev/null | string match -v -- {_fish_quote(lister.empty)})"
            lines.append(f"complete -c camdaemon -n {shlex.quote(at)} -a {_fish_quote(names)}")
    return _FISH + "\n".join(lines) + "\n"


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].split()).partition(". ")[0].removesuffix(".")


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
