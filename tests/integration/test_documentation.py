"""Man pages, completions, the example configuration and --help say the same, and say it in the right form."""

import re

from support import *

MAN = SOURCE_DIR / "packaging/man"
COMPLETIONS = SOURCE_DIR / "packaging/completions"
OPTION_OF_HELP = re.compile(r"^  (?:(-\w),)?(--[\w-]+)?")
NOT_IN_THE_CONFIGURATION = {"--help", "--version", "--config", "--ready-fd", "--reconcile"}


def help_of(program, *words):
    done = run([BIN_DIR / program, *words, "--help"])
    if done.returncode != 0:
        raise AssertionError(f"{program} {words} --help: {done.stderr}")
    return done.stdout


def section(text, title):
    """The lines of a section of --help, without its title."""
    found = re.search(rf"^{title}:\n((?:  .*\n|\n)*)", text, re.MULTILINE)
    return found[1] if found else ""


def options_of(help_text):
    names = set()
    for line in section(help_text, "Options").splitlines():
        found = OPTION_OF_HELP.match(line)
        names |= {name for name in found.groups() if name} if found else set()
    return names


def verbs_of(help_text):
    return re.findall(r"^  (\w[\w-]*)", section(help_text, "Subcommands"), re.MULTILINE)


def all_verbs():
    """Every verb of emuctl that does something, as a tuple of words."""
    found, open_ = [], [()]
    while open_:
        words = open_.pop()
        inner = verbs_of(help_of("emuctl", *words))
        open_ += [(*words, word) for word in inner]
        if not inner:
            found.append(words)
    return sorted(found)


def plain(roff):
    """A line of man source without its escapes."""
    return re.sub(r"\\f.", "", roff).replace("\\-", "-").replace("\\ ", " ").replace('"', "")


def described_options(text):
    """The options that begin a paragraph of their own (.TP)."""
    names = set()
    for line in re.findall(r"^\.TP\n(.*)", text, re.MULTILINE):
        for word in plain(line).replace(",", " ").split():
            if re.fullmatch(r"--?[\w-]+", word):
                names.add(word)
    return names


def sections_of_emuctl():
    """Section of emuctl(1) by verb: a heading may name several, with commas between them."""
    text = (MAN / "emuctl.1").read_text(encoding="utf-8")
    options = re.search(r"^\.SH OPTIONS\n(.*?)^\.SH ", text, re.MULTILINE | re.DOTALL)[1]
    sections = {}
    for heading, content in re.findall(r"^\.SS (.*)\n((?:(?!\.SS ).*\n)*)", options, re.MULTILINE):
        for name in heading.split(","):
            sections[tuple(name.split()[1:])] = content
    return sections


class Emuctl(TestCase):
    def test_every_verb_is_in_the_man_page(self):
        sections = sections_of_emuctl()
        self.assertEqual(sorted(verb for verb in sections if verb), all_verbs())
        synopsis = (MAN / "emuctl.1").read_text(encoding="utf-8").split(".SH DESCRIPTION")[0]
        for verb in all_verbs():
            self.assertIn(f"emuctl {' '.join(verb)}", synopsis)

    def test_every_option_is_in_the_man_page_and_no_other(self):
        sections = sections_of_emuctl()
        common = {"-h", "--help"}
        self.assertEqual(described_options(sections[()]), options_of(help_of("emuctl")))
        for verb in all_verbs():
            with self.subTest(verb=verb):
                self.assertEqual(described_options(sections[verb]), options_of(help_of("emuctl", *verb)) - common)

    def test_every_option_is_completed_and_no_other(self):
        general = options_of(help_of("emuctl"))
        for verb in [(), *all_verbs()]:
            with self.subTest(verb=verb):
                done = run([BIN_DIR / "emuctl", "__complete", *verb, "-"])
                offered = {line.split("\t")[0] for line in done.stdout.splitlines()}
                self.assertEqual(offered, options_of(help_of("emuctl", *verb)) | general)

    def test_every_option_has_a_description(self):
        for verb in [(), *all_verbs()]:
            done = run([BIN_DIR / "emuctl", "__complete", *verb, "-"])
            for line in done.stdout.splitlines():
                self.assertRegex(line, r"^-[^\t]*\t\w", f"{verb}")

    def test_every_verb_is_completed(self):
        for words in {verb[:-1] for verb in all_verbs()}:
            done = run([BIN_DIR / "emuctl", "__complete", *words, ""])
            offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
            self.assertEqual(sorted(offered), sorted(verbs_of(help_of("emuctl", *words))))


class EmudPages(TestCase):
    def setUp(self):
        super().setUp()
        self.help = help_of("emud")

    def test_man_page(self):
        text = (MAN / "emud.8").read_text(encoding="utf-8")
        self.assertEqual(described_options(text), options_of(self.help))

    def keys(self):
        return sorted(name[2:] for name in options_of(self.help) - NOT_IN_THE_CONFIGURATION if name.startswith("--"))

    def test_man_page_of_the_configuration(self):
        text = (MAN / "emud.toml.5").read_text(encoding="utf-8")
        keys = re.search(r"^\.SH KEYS\n(.*?)^\.SH ", text, re.MULTILINE | re.DOTALL)[1]
        described = [plain(line).split()[1] for line in re.findall(r"^\.TP\n(.*)", keys, re.MULTILINE)]
        self.assertEqual(sorted(described), self.keys())

    def test_example_configuration(self):
        """Every key is there, with its default, and emud takes the file when the keys count."""
        text = (SOURCE_DIR / "packaging/emud.toml").read_text(encoding="utf-8")
        keys = re.findall(r"^#([\w-]+) = .*$", text, re.MULTILINE)
        self.assertEqual(sorted(keys), self.keys())
        self.assertEqual([line for line in text.splitlines() if line and not line.startswith("#")], [])
        directory = self.temporary_directory()
        file = directory / "emud.toml"
        file.write_text(re.sub(r"^#([\w-]+ = )", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
        words = ["--state-dir", directory, "--runtime-dir", directory, "--reconcile"]
        self.assert_status(run([BIN_DIR / "emud", "--config", file, *words]), 0)
        file.write_text("no-such-key = 1\n", encoding="utf-8")
        self.assert_status(run([BIN_DIR / "emud", "--config", file, *words]), 2)

    def test_defaults_in_the_example_are_those_of_help(self):
        text = (SOURCE_DIR / "packaging/emud.toml").read_text(encoding="utf-8")
        for key, value in re.findall(r"^#([\w-]+) = (.*)$", text, re.MULTILINE):
            default = re.search(rf"^  --{key} \S+ \[(.*?)\]", self.help, re.MULTILINE)
            if default and "..." not in default[1]:  # sizes show their units there
                self.assertEqual(value.strip('"'), default[1].strip().strip('"'), key)


class Pages(TestCase):
    def test_no_warning(self):
        self.require(shutil.which("groff"), "there is no groff")
        for page in sorted(MAN.iterdir()):
            with self.subTest(page=page.name):
                done = run(["groff", "-ww", "-man", "-Tutf8", "-K", "utf8", "-z", page])
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
                text = page.read_text(encoding="utf-8")
                self.assertRegex(text, r'^\.TH \S+ \d "" "emud @version@" ".*"\n\.SH NAME\n')
                self.assertNotRegex(text, r"(?m)[ \t]$")

    def test_references_exist(self):
        own = {page.name.rpartition(".")[::2] for page in MAN.iterdir()}
        for page in sorted(MAN.iterdir()):
            after = page.read_text(encoding="utf-8").split(".SH SEE ALSO")[1]
            for name, number in re.findall(r"^\.BR (\S+) \((\d)\)", after, re.MULTILINE):
                self.assertIn((name, number), own)


class Shells(TestCase):
    """The completion functions, called as the shells do."""

    CASES = (
        (["emuctl", "unreg"], {"unregister"}),
        (["emuctl", "run", "--sco"], {"--scope"}),
        (["emuctl", "run", "--scope", ""], {"auto", "private", "host"}),
        (["emuctl", "run", "-a", "aarch64,riscv6"], {"aarch64,riscv64"}),
        (["emuctl", "register", "arm6"], {"arm64", "arm64be", "arm64_be"}),
        (["emuctl", "emulator", "in"], {"install"}),
    )

    def environment(self):
        return {"PATH": f"{BIN_DIR}:{os.environ['PATH']}"}

    def test_bash(self):
        script = ('. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _emuctl; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        cases = [*self.CASES, (["emuctl", "run", "--scope", "=", "pri"], {"private"}),
                 (["emuctl", "emulator", "install", "--file", "/etc/passw"], {"/etc/passwd"}),
                 (["emuctl", "run", "-a", "arm", "--", "cat", "/etc/passw"], {"/etc/passwd"})]
        for words, expected in cases:
            with self.subTest(words=words):
                done = run(["bash", "--norc", "-c", script, COMPLETIONS / "emuctl.bash", *words], env=self.environment())
                self.assertEqual(done.stderr, "")
                self.assertLessEqual(expected, set(done.stdout.split()))
        for program in "emuctl", "emud":
            done = run(["bash", "--norc", "-c", '. "$0"; complete -p "$1"', COMPLETIONS / f"{program}.bash", program])
            self.assertEqual(done.stdout, f"complete -F _{program} {program}\n")

    def test_zsh(self):
        self.require(shutil.which("zsh"), "there is no zsh")
        script = ('compset() { :; }; _describe() { print -rl -- "${(@P)3}"; }; words=("$@"); CURRENT=$#; '
                  '. "$0"')
        for words, expected in self.CASES:
            with self.subTest(words=words):
                done = run(["zsh", "-f", "-c", script, COMPLETIONS / "_emuctl", *words], env=self.environment())
                self.assertEqual(done.stderr, "")
                self.assertLessEqual(expected, {line.split(":")[0] for line in done.stdout.splitlines()})

    def test_fish(self):
        self.require(shutil.which("fish"), "there is no fish")
        cases = [*self.CASES, (["emuctl", "run", "--scope=pri"], {"--scope=private"}),
                 (["emuctl", "run", "-a", "arm", "--", "cat", "/etc/passw"], {"/etc/passwd"})]
        for words, expected in cases:
            with self.subTest(words=words):
                line = " ".join(words)
                done = run(["fish", "--no-config", "-c", f"source {COMPLETIONS / 'emuctl.fish'}; complete -C '{line}'"],
                           env=self.environment())
                self.assertLessEqual(expected, {row.split("\t")[0] for row in done.stdout.splitlines()}, done.stderr)

    # Of emud: all options; and what may follow one.
    def emud_cases(self):
        return [(["emud", "-"], options_of(help_of("emud"))), (["emud", "--private", ""], {"everyone", "group"}),
                (["emud", "--log-level", "w"], {"warning"})]

    def test_emud_in_bash(self):
        script = '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _emud; printf "%s\\n" "${COMPREPLY[@]}"'
        cases = [*self.emud_cases(), (["emud", "--config", "/etc/passw"], {"/etc/passwd"})]
        for words, expected in cases:
            with self.subTest(words=words):
                done = run(["bash", "--norc", "-c", script, COMPLETIONS / "emud.bash", *words], env=self.environment())
                self.assertEqual((set(done.stdout.split()) - {"/etc/passwd-"}, done.stderr), (expected, ""))

    def test_emud_in_zsh(self):
        self.require(shutil.which("zsh"), "there is no zsh")
        script = '_describe() { print -rl -- "${(@P)3}"; }; words=("$@"); CURRENT=$#; . "$0"'
        for words, expected in self.emud_cases():
            with self.subTest(words=words):
                done = run(["zsh", "-f", "-c", script, COMPLETIONS / "_emud", *words], env=self.environment())
                self.assertEqual(done.stderr, "")
                self.assertLessEqual(expected, set(done.stdout.split()))

    def test_emud_in_fish(self):
        self.require(shutil.which("fish"), "there is no fish")
        for words, expected in self.emud_cases():
            with self.subTest(words=words):
                done = run(["fish", "--no-config", "-c",
                            f"source {COMPLETIONS / 'emud.fish'}; complete -C '{' '.join(words)}'"], env=self.environment())
                self.assertEqual({row.split("\t")[0] for row in done.stdout.splitlines()}, expected, done.stderr)


class Readme(TestCase):
    """What README.md names is there."""

    TOP = {entry.name for entry in SOURCE_DIR.iterdir()}

    def setUp(self):
        super().setUp()
        self.text = (SOURCE_DIR / "README.md").read_text(encoding="utf-8")

    def assert_exists(self, name):
        if not (SOURCE_DIR / name).exists() and not list(SOURCE_DIR.glob(f"{name}.cc")):
            self.fail(f"README.md names {name}, and there is no such file")

    def test_the_story_names_real_files(self):
        story = re.search(r"^## The story of one build\n(.*?)^## ", self.text, re.MULTILINE | re.DOTALL)[1]
        named = re.findall(r"`((?:common|ctl|daemon)/[\w/.]+)`", story)
        self.assertGreater(len(named), 25)
        for name in named:
            self.assert_exists(name)

    def test_every_path_is_there(self):
        for span in re.findall(r"`([^`\n]+)`", self.text):
            for word in span.split():
                if "/" in word and word.split("/")[0] in self.TOP - {"build"} and not word.endswith("/all"):  # targets of CMake
                    self.assert_exists(word.rstrip("/"))
        for target in re.findall(r"\]\(([\w./-]+)\)", self.text):
            self.assert_exists(target)

    def test_the_tree_names_every_folder(self):
        tree = re.search(r"^## The tree\n(.*)", self.text, re.MULTILINE | re.DOTALL)[1]
        for top in "common", "tests":
            for folder in (entry.name for entry in (SOURCE_DIR / top).iterdir() if entry.is_dir()):
                self.assertRegex(tree, rf"`(?:{top}/)?{folder}[`/]")
        for folder in ("daemon", "daemon/fetcher", "ctl", "ctl/doctor", "ctl/deep", "units", "packaging"):
            self.assertIn(f"`{folder}/`", tree)

    def test_commands_are_those_of_emuctl(self):
        """Every verb and option in it exists."""
        verbs = {" ".join(verb): options_of(help_of("emuctl", *verb)) for verb in all_verbs()}
        for line in re.findall(r"emuctl ((?:emulator )?[a-z]+[^`|#\n]*)", self.text):
            words = line.split(" -- ")[0].split()
            verb = " ".join(words[:2]) if words[0] == "emulator" else words[0]
            if verb not in verbs:
                continue  # prose: "emuctl and emud"
            for word in words:
                option = re.match(r"\[?(--?[a-z][\w-]*)", word)
                if option:
                    self.assertIn(option[1], verbs[verb] | options_of(help_of("emuctl")), line)


if __name__ == "__main__":
    main()
