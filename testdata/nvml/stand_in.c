/* A stand-in for NVIDIA's libnvidia-ml.so.1, for tests on machines without a GPU.
 *
 * It answers from a text file that a test may rewrite at any time: $FAKE_NVML_FILE, else that of the library's own name with
 * ".conf" behind it, so that several can be loaded side by side. Without the file there is no driver.
 *
 *   gpu NAME MEMORY USED UTILISATION% OF_MEMORY% CELSIUS MILLIWATTS [lost]     memory in MiB; _ in a name is a blank
 *   part NAME MEMORY USED       of the GPU before it, which is divided (MIG) by that
 *   proc PID MEMORY             of the GPU or part before it; a memory of -1 is not known
 *   draw PID MEMORY             a process that draws
 *
 * Build: cc -shared -fPIC -o libnvidia-ml.so.1 stand_in.c
 * Structures and numbers are those of NVML's public interface. It checks who calls it, not what a driver does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, UNINIT = 1, EINVAL_ = 2, NOSUP = 3, NOTFOUND = 6, TOOSMALL = 7, NODRIVER = 9, LOST = 15 };
#define MAXGPU 16
#define MAXPROC 64
typedef struct { unsigned pid; unsigned long long used; } Proc;
typedef struct { char name[64]; unsigned long long total, used; unsigned ug, um, temp, mw; int lost, part, of, parts, n, drawn; Proc p[MAXPROC], drawing[MAXPROC]; } Gpu;
typedef struct { int tag; } *Dev;
typedef struct { unsigned gpu, memory; } Util;
typedef struct { unsigned long long total, free, used; } Mem;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Mem2;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } PInfo;          /* _v2/_v3 */
typedef struct { unsigned pid; unsigned long long used; } PInfo1;                          /* no suffix */

static Gpu G[MAXGPU]; static int N; static int inited; static char tags[MAXGPU];

static int load(void) {
    const char *f = getenv("FAKE_NVML_FILE"); char own[4096]; Dl_info me; char l[512]; int whole = -1, wholes = 0;
    if (!f && dladdr((void *)load, &me)) { snprintf(own, sizeof own, "%s.conf", me.dli_fname); f = own; }
    FILE *h = f ? fopen(f, "r") : 0;
    N = 0; if (!h) return 0;
    while (fgets(l, sizeof l, h)) {
        char w[16] = ""; Gpu *g = &G[N]; unsigned long long t = 0, u = 0; unsigned pid; long long held;
        if (N < MAXGPU && (!strncmp(l, "gpu ", 4) || !strncmp(l, "part ", 5))) {
            memset(g, 0, sizeof *g); g->part = *l == 'p';
            if (sscanf(strchr(l, ' '), "%63s %llu %llu %u %u %u %u %15s", g->name, &t, &u, &g->ug, &g->um, &g->temp, &g->mw, w) < (g->part ? 3 : 7)) continue;
            g->total = t << 20; g->used = u << 20; g->lost = !strcmp(w, "lost");
            for (char *c = g->name; *c; c++) if (*c == '_') *c = ' ';
            if (g->part) { g->of = G[whole].parts++; } else { whole = N; g->of = wholes++; }
            N++;
        } else if (N && sscanf(l, "proc %u %lld", &pid, &held) == 2 && G[N-1].n < MAXPROC) {
            G[N-1].p[G[N-1].n++] = (Proc){ pid, held < 0 ? ~0ull : (unsigned long long)held << 20 };
        } else if (N && sscanf(l, "draw %u %lld", &pid, &held) == 2 && G[N-1].drawn < MAXPROC) {
            G[N-1].drawing[G[N-1].drawn++] = (Proc){ pid, (unsigned long long)held << 20 };
        }
    }
    fclose(h); return 1;
}
static int dev(Dev d, Gpu **g) {
    if (!inited) return UNINIT;
    load(); long i = (char *)d - tags;
    if (i < 0 || i >= N) return EINVAL_;
    *g = &G[i]; return (*g)->lost ? LOST : OK;
}
#define DEV Gpu *g; { int e_ = dev(d, &g); if (e_) return e_; }
static int put(char *b, unsigned n, const char *s) { if (strlen(s) + 1 > n) return TOOSMALL; strcpy(b, s); return OK; }

int nvmlInit_v2(void) { if (!load()) return NODRIVER; inited++; return OK; }
int nvmlShutdown(void) { if (!inited) return UNINIT; inited--; return OK; }
int nvmlDeviceGetCount_v2(unsigned *n) {
    if (!inited || !load()) return UNINIT;
    *n = 0; for (int i = 0; i < N; i++) *n += !G[i].part;
    return OK;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned n, Dev *d) {
    if (!inited) return UNINIT;
    load();
    for (int i = 0; i < N; i++) if (!G[i].part && G[i].of == (int)n) { *d = (Dev)&tags[i]; return G[i].lost ? LOST : OK; }
    return EINVAL_;
}
int nvmlDeviceGetName(Dev d, char *b, unsigned n) { DEV; return put(b, n, g->name); }
int nvmlDeviceGetUUID(Dev d, char *b, unsigned n) {
    DEV; char s[64]; int whole = g - G;
    while (G[whole].part) whole--;
    snprintf(s, sizeof s, "%s-fa6e0000-0000-0000-0000-%012d", g->part ? "MIG" : "GPU", g->part ? 100 * G[whole].of + g->of : g->of);
    return put(b, n, s);
}
int nvmlDeviceGetMemoryInfo(Dev d, Mem *m) { DEV; m->total = g->total; m->used = g->used; m->free = g->total - g->used; return OK; }
int nvmlDeviceGetMemoryInfo_v2(Dev d, Mem2 *m) { DEV; m->total = g->total; m->reserved = 0; m->used = g->used; m->free = g->total - g->used; return OK; }
int nvmlDeviceGetUtilizationRates(Dev d, Util *u) { DEV; if (g->part) return NOSUP; u->gpu = g->ug; u->memory = g->um; return OK; }
int nvmlDeviceGetMigMode(Dev d, unsigned *c, unsigned *p) { DEV; if (g->part) return NOSUP; *c = *p = g->parts > 0; return OK; }
int nvmlDeviceGetMaxMigDeviceCount(Dev d, unsigned *n) { DEV; *n = 7; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(Dev d, unsigned n, Dev *part) {
    DEV; if ((int)n >= g->parts) return NOTFOUND;
    *part = (Dev)&tags[g - G + 1 + n]; return OK;
}
static int procs(Dev d, unsigned *n, void *out, int drawing, int v) {
    DEV; unsigned have = *n; Proc *p = drawing ? g->drawing : g->p; *n = drawing ? g->drawn : g->n;
    if (!*n) return OK;
    if (have < *n || !out) return TOOSMALL;
    for (unsigned i = 0; i < *n; i++) {
        if (v == 1) { ((PInfo1 *)out)[i].pid = p[i].pid; ((PInfo1 *)out)[i].used = p[i].used; }
        else { PInfo *q = (PInfo *)out + i; q->pid = p[i].pid; q->used = p[i].used; q->gi = q->ci = 0xFFFFFFFFu; }
    }
    return OK;
}
int nvmlDeviceGetComputeRunningProcesses(Dev d, unsigned *n, PInfo1 *o) { return procs(d, n, o, 0, 1); }
int nvmlDeviceGetComputeRunningProcesses_v2(Dev d, unsigned *n, PInfo *o) { return procs(d, n, o, 0, 2); }
int nvmlDeviceGetComputeRunningProcesses_v3(Dev d, unsigned *n, PInfo *o) { return procs(d, n, o, 0, 3); }
int nvmlDeviceGetGraphicsRunningProcesses(Dev d, unsigned *n, PInfo1 *o) { return procs(d, n, o, 1, 1); }
