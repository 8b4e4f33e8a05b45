"""`camdaemon completion`: a static script for the shell, made from the commands that typer and the table know."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from camdaemon.control import table
from camdaemon.errors import ConfigError

Offers = dict[str, dict[str, str]]  # words typed before, without options → word that may follow → its help

_BASH = """# camdaemon: completion for bash, made by `camdaemon completion bash`
_camdaemon() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} typed="" words="" i
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
        choices = (choice for parameter in live[0].parameters for choice in parameter.choices)
        offers[path] |= dict.fromkeys(choices, "")
    for parameter in command.params:
        names = [name for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("--")]
        offers[path] |= dict.fromkeys(names, _first_sentence(getattr(parameter, "help", "")))
    offers[path]["--help"] = "Show the help"
    return offers


def make_bash(offers: Offers) -> str:
    """Write the script for bash, which zsh reads as well."""
    cases = [
        f"{' ' * 12}{shlex.quote(typed)}) words={shlex.quote(' '.join(words))} ;;" for typed, words in offers.items()
    ]
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
    return _FISH + "\n".join(lines) + "\n"


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].split()).partition(". ")[0].removesuffix(".")


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
