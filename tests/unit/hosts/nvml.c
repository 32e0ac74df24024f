/* Copyright (c) 2026, the prositronic.infra contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stand-in for NVIDIA's libnvidia-ml.so.1: the functions that gpu_facts calls, answering from the file that
 * NVML_STAND_IN names (see nvidia.py beside this). Compiled with -DOLD it has the functions of driver 470.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7 };

typedef struct { char name[16]; } Device;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char address[32]; } Pci;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } MemoryV2;
typedef struct { unsigned pid; unsigned long long used; } ProcessV1;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu, compute; } ProcessV2;

static Device devices[64];
static int made;

/* The answer number `skip` to a question: OK with its text, or the error to return. */
static int answer(const char *device, const char *question, int skip, char *text)
{
    char line[512], who[32], what[64];
    int length;
    FILE *file = fopen(getenv("NVML_STAND_IN"), "r");

    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%31s %63s %n", who, what, &length) != 2 || strcmp(who, device) || strcmp(what, question))
            continue;
        if (skip--)
            continue;
        line[strcspn(line, "\n")] = 0;
        strcpy(text, line + length);
        fclose(file);
        return *text == '!' ? atoi(text + 1) : OK;
    }
    if (file)
        fclose(file);
    return NOT_SUPPORTED;
}

static int number(const char *device, const char *question, unsigned *value)
{
    char text[512];
    int error = answer(device, question, 0, text);
    if (!error)
        *value = strtoul(text, NULL, 10);
    return error;
}

static int words(const char *device, const char *question, char *buffer, unsigned size)
{
    char text[512];
    int error = answer(device, question, 0, text);
    if (!error && strlen(text) + 1 > size)
        return TOO_SMALL;
    if (!error)
        strcpy(buffer, text);
    return error;
}

static int open_device(const char *name, Device **device)
{
    char text[512];
    int error = answer(name, "handle", 0, text);
    if (error && error != NOT_SUPPORTED)
        return error;
    if (answer(name, "uuid", 0, text))
        return NOT_FOUND;
    *device = &devices[made++ % 64];
    strcpy((*device)->name, name);
    return OK;
}

int nvmlInit_v2(void)
{
    char text[512];
    int error = answer("-", "init", 0, text);
    if (!error && !strcmp(text, "hang"))
        sleep(3600);
    if (!error && !strcmp(text, "crash"))
        signal(SIGSEGV, SIG_DFL), raise(SIGSEGV);
    if (!error && !strcmp(text, "print"))
        puts("{\"a library that\": \"prints\"}"), fflush(stdout);
    return error == NOT_SUPPORTED ? OK : error;
}

int nvmlSystemGetNVMLVersion(char *text, unsigned size) { return words("-", "library", text, size); }
int nvmlShutdown(void) { return OK; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { return words("-", "driver", text, size); }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { return number("-", "cuda", (unsigned *)version); }
int nvmlDeviceGetCount_v2(unsigned *count) { return number("-", "count", count); }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device)
{
    char name[16];
    snprintf(name, sizeof name, "%u", index);
    return open_device(name, device);
}

int nvmlDeviceGetMigDeviceHandleByIndex(Device *card, unsigned index, Device **device)
{
    char name[40];
    snprintf(name, sizeof name, "%.8s.%u", card->name, index);
    return open_device(name, device);
}

int nvmlDeviceGetUUID(Device *device, char *text, unsigned size) { return words(device->name, "uuid", text, size); }
int nvmlDeviceGetName(Device *device, char *text, unsigned size) { return words(device->name, "name", text, size); }

#define NUMBER(function, question) \
    int function(Device *device, unsigned *value) { return number(device->name, question, value); }
#define MODE(function, question) \
    int function(Device *device, unsigned *now, unsigned *later) \
    { int error = number(device->name, question, now); *later = *now; return error; }

NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, "generation")
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, "width")
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, "maximum_generation")
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, "maximum_width")
NUMBER(nvmlDeviceGetComputeMode, "compute_mode")
NUMBER(nvmlDeviceGetMaxMigDeviceCount, "slices")
MODE(nvmlDeviceGetEccMode, "ecc")
MODE(nvmlDeviceGetMigMode, "mig")
#ifndef OLD
NUMBER(nvmlDeviceGetC2cModeInfoV, "c2c")
NUMBER(nvmlDeviceGetMemoryBusWidth, "bus_width")
#endif

int nvmlDeviceGetCurrentClocksEventReasons(Device *device, unsigned long long *reasons)
{
    unsigned value = 0;
    int error = number(device->name, "clock_reasons", &value);
    *reasons = value;
    return error;
}

int nvmlDeviceGetMaxClockInfo(Device *device, int type, unsigned *clock)
{
    return type == 2 ? number(device->name, "memory_clock", clock) : INVALID;
}

int nvmlDeviceGetVirtualizationMode(Device *device, unsigned *mode)
{
    return number(device->name, "virtualization", mode);
}

int nvmlDeviceGetCudaComputeCapability(Device *device, int *major, int *minor)
{
    char text[512];
    int error = answer(device->name, "capability", 0, text);
    if (!error)
        sscanf(text, "%d %d", major, minor);
    return error;
}

int nvmlDeviceGetPciInfo_v3(Device *device, Pci *pci)
{
    char text[512];
    int error = answer(device->name, "pci", 0, text);
    if (!error)
        sscanf(text, "%31s %u", pci->address, &pci->id);
    return error;
}

static int memory(Device *device, MemoryV2 *memory)
{
    char text[512];
    int error = answer(device->name, "memory", 0, text);
    if (!error)
        sscanf(text, "%llu %llu %llu", &memory->total, &memory->reserved, &memory->used);
    memory->free = memory->total - memory->reserved - memory->used;
    return error;
}

int nvmlDeviceGetMemoryInfo(Device *device, Memory *old)
{
    MemoryV2 all = {0};
    int error = memory(device, &all);
    old->total = all.total;
    old->free = all.free;
    old->used = all.total - all.free;
    return error;
}

#ifndef OLD
int nvmlDeviceGetMemoryInfo_v2(Device *device, MemoryV2 *all)
{
    return all->version == (sizeof *all | 2 << 24) ? memory(device, all) : 25;
}
#endif

static int processes(Device *device, const char *question, unsigned *count, ProcessV2 *list)
{
    char text[512];
    unsigned room = list ? *count : 0;
    for (*count = 0; !answer(device->name, question, *count, text); ++*count)
        if (*count < room)
            sscanf(text, "%u %llu", &list[*count].pid, &list[*count].used);
    return *count > room ? TOO_SMALL : OK;
}

#ifndef OLD
int nvmlDeviceGetComputeRunningProcesses_v3(Device *device, unsigned *count, ProcessV2 *list)
{
    return processes(device, "process", count, list);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(Device *device, unsigned *count, ProcessV2 *list)
{
    return processes(device, "graphics", count, list);
}
#else
int nvmlDeviceGetComputeRunningProcesses(Device *device, unsigned *count, ProcessV1 *list)
{
    ProcessV2 wide[64] = {{0}};
    unsigned room = *count;
    int error = processes(device, "process", count, list ? wide : NULL);
    for (unsigned i = 0; list && i < *count && i < room && i < 64; i++)
        list[i].pid = wide[i].pid, list[i].used = wide[i].used;
    return error;
}
#endif

int nvmlDeviceGetNvLinkState(Device *device, unsigned link, unsigned *active)
{
    unsigned links = 0;
    int error = number(device->name, "links", &links);
    *active = 1;
    return error ? error : link < links ? OK : INVALID;
}

int nvmlDeviceGetNvLinkRemoteDeviceType(Device *device, unsigned link, unsigned *type)
{
    char text[512];
    int error = answer(device->name, "link", link, text);
    *type = !error && !strcmp(text, "switch") ? 2 : 0;
    return error;
}

int nvmlDeviceGetNvLinkRemotePciInfo_v2(Device *device, unsigned link, Pci *pci)
{
    char text[512];
    int error = answer(device->name, "link", link, text);
    if (!error)
        snprintf(pci->address, sizeof pci->address, "%.31s", text);
    return error;
}
