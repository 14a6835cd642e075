/* A processor without AVX-512 and AMX, for a whole process: LD_PRELOAD=narrow.so. Some libraries ask the processor what it can do and no
   variable that a user sets. Linux has the instruction `cpuid` end in a signal (arch_prctl(2), ARCH_SET_CPUID); we answer it, less what is wide.
   The constructor leaves a process alone whose processor or kernel cannot do that: `narrow.so` then hides nothing. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
/* Leaf 7 of Intel's manual, volume 2, CPUID. */
#define WIDE_EBX (1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31) /* AVX-512 F DQ IFMA PF ER CD BW VL */
#define WIDE_ECX (1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14)                                   /* VBMI VBMI2 VNNI BITALG VPOPCNTDQ */
#define WIDE_EDX (1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25)              /* 4VNNIW 4FMAPS VP2INTERSECT AMX, FP16 */
#define WIDE_EAX_1 (1u << 5 | 1u << 21)                                                                 /* AVX512_BF16 AMX-FP16 */
#define WIDE_STATE (7u << 5 | 3u << 17)                                                                 /* their registers, in leaf 13 */

static struct sigaction before;

static long let_through(int on) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, on); }

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *at = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)at[REG_RIP];
    if (info->si_code <= 0 || code[0] != 0x0f || code[1] != 0xa2) { /* no cpuid: whatever is wrong goes its usual way */
        sigaction(number, &before, 0);
        return;
    }
    unsigned leaf = at[REG_RAX], part = at[REG_RCX], eax, ebx, ecx, edx;
    let_through(1);
    __cpuid_count(leaf, part, eax, ebx, ecx, edx);
    let_through(0);
    if (leaf == 7 && part == 0) ebx &= ~WIDE_EBX, ecx &= ~WIDE_ECX, edx &= ~WIDE_EDX;
    if (leaf == 7 && part == 1) eax &= ~WIDE_EAX_1;
    if (leaf == 13 && part == 0) eax &= ~WIDE_STATE;
    at[REG_RAX] = eax, at[REG_RBX] = ebx, at[REG_RCX] = ecx, at[REG_RDX] = edx;
    at[REG_RIP] += 2;
}

#ifdef TRY /* a program that says, by its exit code, whether it sees nothing wide */
int main(void) {
    unsigned eax, ebx, ecx, edx;
    __cpuid_count(7, 0, eax, ebx, ecx, edx);
    return (ebx & WIDE_EBX) != 0;
}
#else
__attribute__((constructor)) static void hide(void) {
    struct sigaction ours = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &ours, &before);
    if (let_through(0)) sigaction(SIGSEGV, &before, 0);
}
#endif
