"""Man pages and completion, as the programs make them of their own tables: read by the tools that people have."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from harness.paths import BUILD, SERVICE, SIMULATOR
from harness.service import clean_environment

PAGES = ["care360-lookup.1", "care360-sim.1", "care360-lookup.cfg.5"]
DOC = BUILD / "doc"


def run(*arguments):
    return subprocess.run([str(word) for word in arguments], capture_output=True, text=True, timeout=60, env=clean_environment())


@pytest.mark.parametrize("page", PAGES)
def test_man_pages_are_clean_and_readable(page):
    lint = run("mandoc", "-Tlint", "-W", "warning", DOC / page)
    assert (lint.returncode, lint.stdout) == (0, ""), lint.stdout
    groff = run("groff", "-mdoc", "-Tascii", "-ww", DOC / page) if shutil.which("groff") else None
    assert groff is None or (groff.returncode == 0 and groff.stderr == "")


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r".\x08", "", run("mandoc", "-Tascii", DOC / page).stdout))


def test_the_page_of_each_program_has_all_that_its_help_has():
    for program, page in ((SERVICE, "care360-lookup.1"), (SIMULATOR, "care360-sim.1")):
        text = text_of(page)
        helps = [run(program, "--help").stdout]
        commands = re.findall(r"^  ([a-z]+)  ", helps[0], re.MULTILINE) if program is SERVICE else []
        helps += [run(program, command, "--help").stdout for command in commands]
        options = set(re.findall(r"^ +(?:-., )?(--[a-z-]+)", "\n".join(helps), re.MULTILINE))
        assert len(options) > 10
        assert [option for option in options if option not in text] == []
        assert [command for command in commands if f" {command} " not in text] == []


def test_the_page_of_the_configuration_has_every_setting():
    text = text_of("care360-lookup.cfg.5")
    reference = run(SERVICE, "check", "--reference").stdout
    names = re.findall(r"^\| `([^`]+)`", reference, re.MULTILINE)
    assert len(names) > 40 and [name for name in names if f"{name} =" not in text] == []


def test_a_form_that_there_is_not_is_wrong_usage():
    for program, forms in ((SERVICE, "man, cfg, bash, zsh"), (SIMULATOR, "man, bash, zsh")):
        done = run(program, "--help=html")
        assert (done.returncode, done.stdout) == (2, "")
        assert f"--help=html: there is no such form; those there are: {forms}" in done.stderr


def completed_by_bash(*words):
    """What bash offers for the last of these words, taken apart as bash does it."""
    program = words[0]
    script = (f"source {DOC / program}.bash\n"
              "compopt() { :; }\n"
              f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}\n"
              f"_{program.replace('-', '_')}\n"
              'printf "%s\\n" "${COMPREPLY[@]}"\n')
    done = run("bash", "--norc", "-c", script)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("words, offered", [
    (["care360-lookup", "re"], ["replay"]),
    (["care360-lookup", "--v"], ["--version"]),
    (["care360-lookup", "replay", "--s"], ["--since", "--set"]),
    (["care360-lookup", "-c", "replay", "check", "--sh"], ["--show"]),
    (["care360-lookup", "--set", "x=1", "replay", "--dr"], ["--dry-run"]),
    (["care360-lookup", "replay", "--reason", "api"], ["api_unavailable"]),
    (["care360-lookup", "replay", "--reason", "rejected,bad"], ["rejected,bad_reply"]),
    (["care360-lookup", "replay", "--reason", "=", "mal"], ["malformed_event"]),
    (["care360-lookup", "--set", "kafka.bro"], ["kafka.brokers="]),
    (["care360-lookup", "--set", "="], None),
    (["care360-lookup", "--set", "kafka.brokers", "=", "a"], []),
    (["care360-lookup", "replay", "--since", ""], []),
    (["care360-lookup", "--help", "=", "z"], ["zsh"]),
    (["care360-sim", "--tls-"], ["--tls-certificate", "--tls-key"]),
    (["care360-sim", "--fault", "hang"], ["hang", "hang_mid_body"]),
])
def test_bash_completes(words, offered):
    found = completed_by_bash(*words)
    assert len(found) > 40 if offered is None else sorted(found) == sorted(offered)


def test_bash_completes_files(tmp_path):
    (tmp_path / "one two.cfg").touch()
    done = completed_by_bash("care360-lookup", "--config", f"{tmp_path}/one")
    assert " ".join(done) == f"{tmp_path}/one two.cfg"


class Terminal:
    """A shell at a terminal, as a person has it."""

    def __init__(self, *command, directory):
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(directory)
            environment = clean_environment(PATH=f"{BUILD}:{os.environ['PATH']}", TERM="dumb", HOME=str(directory))
            os.execvpe(command[0], command, environment)
        self._shown = ""

    def type(self, text):
        os.write(self._terminal, text.encode())

    def wait(self, text, timeout=30):
        """Waits until the text is shown, and forgets what was shown up to its end."""
        deadline = time.monotonic() + timeout
        while text not in self._shown:
            assert time.monotonic() < deadline, f"{text!r} is not shown: {self._shown!r}"
            if select.select([self._terminal], [], [], 0.1)[0]:
                self._shown += os.read(self._terminal, 65536).decode(errors="replace")
        self._shown = self._shown.split(text, 1)[1]

    def end(self):
        os.close(self._terminal)
        os.waitpid(self._pid, 0)


def test_a_person_at_bash_types_a_tab(tmp_path):
    shell = Terminal("bash", "--norc", "--noprofile", "-i", directory=tmp_path)
    shell.type(f"PS1='ready''> '; source {DOC}/care360-lookup.bash\n")
    shell.wait("ready> ")
    shell.type("care360-lookup rep\t--ag\t--reason api\t")
    shell.wait("lay --again --reason api_unavailable ")
    shell.end()


def test_a_person_at_zsh_types_a_tab(tmp_path):
    shell = Terminal("zsh", "-f", "-i", directory=tmp_path)
    shell.type(f"PS1='ready''> '; fpath=({DOC} $fpath); autoload -Uz compinit; compinit -u -D; unsetopt beep\n")
    shell.wait("ready> ")
    shell.type("care360-lookup rep\t--ag\t--reason api\t")
    for word in ("replay", "--again", "--reason api_unavailable"):
        shell.wait(word)
    shell.type("\x15care360-sim --tls-k\t")
    shell.wait("--tls-key=")
    shell.end()


@pytest.mark.parametrize("program", ["care360-lookup", "care360-sim"])
def test_zsh_finds_no_mistake(program):
    done = run("zsh", "-n", DOC / f"_{program}")
    assert (done.returncode, done.stderr) == (0, "")
