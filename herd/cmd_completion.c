/* SPDX-License-Identifier: MIT */
/* herd completion: a script for bash. It asks herd itself, so that it cannot grow old. */
#include "herd/cli.h"
#include "herd/cmd.h"

#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd completion [bash]\n\n"
    "Prints a script that completes commands, their options and files.\n\n"
    "Examples:\n"
    "  eval \"$(herd completion)\"                      in this shell\n"
    "  herd completion > ~/.local/share/bash-completion/completions/herd\n";

static const char SCRIPT[] =
    "# bash completion for herd; what it offers comes from herd's own help\n"
    "_herd() {\n"
    "    local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
    "    local command=\"\" i program=\"${COMP_WORDS[0]}\"\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case \"${COMP_WORDS[i]}\" in\n"
    "        -i|--inventory|-l|--limit|-k|--key) ((i++)) ;;\n"
    "        -*) ;;\n"
    "        *) command=\"${COMP_WORDS[i]}\"; break ;;\n"
    "        esac\n"
    "    done\n"
    "    COMPREPLY=()\n"
    "    case \"$before\" in\n"
    "    -i|--inventory|-k|--key) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
    "    -l|--limit) return ;;\n"
    "    esac\n"
    "    if [[ \"$word\" == -* ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$(\"$program\" $command --help 2>/dev/null |\n"
    "            grep -oE -- '(^|[ ,])--?[A-Za-z][a-z-]*' | tr -d ' ,' | sort -u) --json --help\" \\\n"
    "            -- \"$word\"))\n"
    "    elif [[ -z \"$command\" ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$(\"$program\" --help |\n"
    "            sed -n '/^Commands:/,/^$/s/^  \\([a-z]*\\) .*/\\1/p')\" -- \"$word\"))\n"
    "    else\n"
    "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
    "    fi\n"
    "}\n"
    "complete -o filenames -F _herd herd\n";

static int run(const struct cmd_options *options, int argc, char **argv)
{
    static const struct cli_option NONE[] = {
        {0, NULL, false}
    };
    struct cli_scan scan = { .global = options, .options = NONE, .argc = argc, .argv = argv };
    const char *value = NULL;

    if (cli_next(&scan, &value) != 0) {
        return EXIT_USAGE;
    }
    if (scan.n_operands > 1 || (scan.n_operands == 1 && strcmp(argv[scan.at], "bash") != 0)) {
        return cmd_misuse(options, "completion", "only bash is known");
    }
    fputs(SCRIPT, stdout);
    return EXIT_ALL_VALID;
}

const struct cmd cmd_completion = {
    .name = "completion",
    .summary = "print a completion script for bash",
    .usage = USAGE,
    .run = run,
};
