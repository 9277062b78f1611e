/* SPDX-License-Identifier: MIT */
#include "common/channel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_of_names(char c)
{
    return is_letter_or_digit(c) || (c != '\0' && strchr("._-:", c) != NULL);
}

static bool is_name(const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        if (!is_of_names(*at)) {
            return false;
        }
    }
    return is_letter_or_digit(name[0]);
}

static bool is_unit(const char *unit)
{
    for (const char *at = unit; *at != '\0'; at++) {
        if (*at < '!' || *at > '~') {
            return false;
        }
    }
    return true;
}

size_t channel_encode(const struct channel *channel, char text[CHANNEL_TEXT_SIZE])
{
    return (size_t)snprintf(text, CHANNEL_TEXT_SIZE, "%.17g %.17g %s %s", channel->gain,
                            channel->offset, channel->unit, channel->name);
}

/* The next word, without a copy of its blank; false when it is empty or too long. */
static bool take_word(const char **at, char *word, size_t size)
{
    size_t length = strcspn(*at, " ");

    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(word, *at, length);
    word[length] = '\0';
    *at += length;
    if (**at == ' ') {
        (*at)++;
    }
    return true;
}

static bool take_number(const char **at, double *value)
{
    char word[32];
    char *end = NULL;

    if (!take_word(at, word, sizeof(word))) {
        return false;
    }
    *value = strtod(word, &end);
    return *end == '\0' && isfinite(*value);
}

bool channel_decode(struct channel *channel, const void *text, size_t size)
{
    char copy[CHANNEL_TEXT_SIZE];
    const char *at = copy;

    if (size >= sizeof(copy) || memchr(text, '\0', size) != NULL) {
        return false;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    return take_number(&at, &channel->gain) && take_number(&at, &channel->offset)
           && take_word(&at, channel->unit, sizeof(channel->unit))
           && take_word(&at, channel->name, sizeof(channel->name)) && *at == '\0'
           && is_unit(channel->unit) && is_name(channel->name);
}

void channel_set_name(struct channel *channel, const char *kind, const char *name)
{
    snprintf(channel->name, sizeof(channel->name), "%s.%s", kind, name);
    for (char *at = channel->name; *at != '\0'; at++) {
        if (!is_of_names(*at)) {
            *at = '-';
        }
    }
    if (!is_letter_or_digit(channel->name[0])) {
        channel->name[0] = 'x';
    }
}
