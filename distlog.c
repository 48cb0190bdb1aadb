/* distlog: main(). Finds the command, loads the settings, runs the command, and checks that
 * standard output took everything. Names no library.
 * Owns what the command is given. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/command_line.h"
#include "cmd/commands.h"
#include "cmd/help.h"
#include "cmd/settings.h"
#include "lib/adapter/os/process.h"
#include "lib/adapter/os/stop.h"
#include "lib/adapter/versions.h"

enum { STDOUT_BUFFER_BYTES = 1 << 16 };

/* Line by line, because a person or a pipe may be waiting; except into a file, where commands flush
 * when a batch is done. */
static void prepare_stdout(void) {
    struct stat out;
    int mode = _IOLBF;
    if (fstat(STDOUT_FILENO, &out) == 0 && S_ISREG(out.st_mode))
        mode = _IOFBF;
    setvbuf(stdout, NULL, mode, STDOUT_BUFFER_BYTES);
}

static enum exit_code print_version(void) {
    BUF_LOCAL struct buf page = {0};
    buf_text(&page, "distlog " DISTLOG_VERSION "\n");
    versions_print(&page);
    puts(page.p);
    return EXIT_DONE;
}

/* Loads the settings and runs the command. */
static enum exit_code run_command(struct command_line *line, struct run *run) {
    struct cmd_sections sections;
    cmd_sections_init(&sections, run->commands);
    run->conf = conf_new(sections.list);
    const struct settings_file file = settings_find_file(line);
    run->config_file = file.path;
    enum exit_code code = settings_load(line, &file, run);
    if (code == EXIT_DONE) {
        cmd_configure_log(run->conf, &run->log);
        stop_install();
        if (conf_has_secret(run->conf))
            process_hide();
        code = (enum exit_code)line->cmd->run(run);
    }
    conf_free(run->conf);
    return code;
}

/* Does what the command line asks for. */
static enum exit_code execute(struct command_line *line, struct run *run) {
    if (line->wants_version)
        return print_version();
    if (line->wants_help || !line->cmd) {
        help_print(run->commands, line->cmd);
        return line->wants_help ? EXIT_DONE : EXIT_USAGE;
    }
    const enum exit_code code = command_line_check_operands(line);
    if (code != EXIT_DONE)
        return code;
    return run_command(line, run);
}

/* Was the pipe closed by its reader (`| head`)? That is not worth a message. */
static bool stdout_reader_is_gone(void) {
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

/* A result that was not written is a failure: the disk may be full. Standard output may also have
 * been closed from the start (EBADF): then no output was wanted. Returns code, or EXIT_FAILED in
 * place of EXIT_DONE. */
static enum exit_code close_stdout(const struct log *log, enum exit_code code) {
    const bool reader_is_gone = stdout_reader_is_gone();
    const bool has_failed = ferror(stdout);
    errno = 0;
    if (fclose(stdout) == 0 && !has_failed)
        return code;
    const char *reason = "some of the output is lost";
    if (errno)
        reason = strerror(errno);
    if (!reader_is_gone && errno != EBADF)
        log_error(log, "cannot write standard output: %s", reason);
    return code == EXIT_DONE ? EXIT_FAILED : code;
}

int main(int argc, char **argv) {
    static struct command_line line;
    struct notify notify;
    struct run run = {.commands = commands_all, .notify = &notify};
    if (argc == 0)
        return EXIT_USAGE; /* without even a name of its own */
    prepare_stdout();
    notify_open(&notify);
    enum exit_code code = command_line_read(&line, commands_all, argc, argv);
    run.log = line.log;
    run.argc = line.n_operands;
    run.argv = line.operands;
    if (code == EXIT_DONE)
        code = execute(&line, &run);
    code = close_stdout(&run.log, code);
    notify_close(&notify);
    command_line_release(&line);
    return (int)code;
}
