# The machine code of a start, for x86-64 Linux; init.x86_64.bin is this file, assembled and linked:
#
#     as -o init.o init.x86_64.S
#     ld --oformat binary -e 0 -Ttext 0x400000 -o init.x86_64.bin init.o
#
# It is two things. As a program it is the first process of a job: a static ELF file without a library.
# And the launcher maps the same file into itself and calls `start`, at START, to make processes.
#
# A table is a row of records of seven 64-bit numbers: a system call and its six arguments. Its last call
# is execve(2) or execveat(2), so that a table has an end by having been done. The record of a command whose
# number is WAIT is no call: what comes after it is done when the launcher has said the byte GO.

.intel_syntax noprefix
.set START, 0x100               # vfork.py knows it
.set BLOB, 0x10000000           # where the program has its orders; vfork.py knows it
.set BLOB_SIZE, 0x40000
.set CONTROL, 3                 # the socket to the launcher
.set CHILDREN, 4                # reads ready when a child has ended
.set FIRST, 5                   # where descriptors arrive; vfork.py knows these two
.set PATIENCE_NS, 3000000
.set WAIT, -2                   # vfork.py knows these two
.set GO, 0x80                   # no signal has this number
.set ECANCELED, 125

.set SYS_read, 0
.set SYS_write, 1
.set SYS_rt_sigprocmask, 14
.set SYS_getpid, 39
.set SYS_recvmsg, 47
.set SYS_clone, 56
.set SYS_wait4, 61
.set SYS_kill, 62
.set SYS_getrusage, 98
.set SYS_prctl, 157
.set SYS_exit_group, 231
.set SYS_ppoll, 271
.set SYS_signalfd4, 289
.set SYS_clone3, 435
.set SYS_close_range, 436

.text
origin:
        .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
        .short 2, 62            # ET_EXEC, EM_X86_64
        .long 1
        .quad main              # where it begins
        .quad 64, 0             # program headers; no sections
        .long 0
        .short 64, 56, 3, 64, 0, 0
# what is in the file: read and executed
        .long 1, 5              # PT_LOAD, PF_R | PF_X
        .quad 0, origin, origin, end - origin, end - origin, 0x1000
# memory, zero at first: read and written
        .long 1, 6              # PT_LOAD, PF_R | PF_W
        .quad 0, BLOB, BLOB, 0, memory_end, 0x1000
# a stack that is not executed
        .long 0x6474e551, 6     # PT_GNU_STACK
        .quad 0, 0, 0, 0, 0, 16

# The memory of the program, after its orders.
.set result, BLOB + BLOB_SIZE           # 16 bytes
.set message, result + 16               # struct msghdr, 56 bytes
.set vector, message + 64               # struct iovec
.set rights, vector + 16                # 256 bytes of descriptors that come along
.set said, rights + 256                 # 32 bytes; MESSAGE in vfork.py
.set usage, said + 32                   # struct rusage, 144 bytes
.set told, usage + 144                  # struct signalfd_siginfo, 128 bytes
.set polled, told + 128                 # two of struct pollfd
.set children, polled + 16              # a signal mask with SIGCHLD alone
.set status, children + 8
.set patience, status + 8               # struct timespec
.set memory_end, patience + 16 - BLOB

# The call of the record at rbx, its number already in rax; what comes of it is compared with the errors.
.macro make_call
        mov     rdi, [rbx + 8]
        mov     rsi, [rbx + 16]
        mov     rdx, [rbx + 24]
        mov     r10, [rbx + 32]
        mov     r8, [rbx + 40]
        mov     r9, [rbx + 48]
        syscall
        cmp     rax, -4095
.endm

        .org START
# long start(struct clone_args *how, uint64_t (*table)[7], int64_t result[2])
# A new process that does the table; its number comes back, or a negative errno. Made with CLONE_VM and
# CLONE_VFORK, it uses no stack, and a call that fails leaves its record's address and its errno in `result`.
start:
        push    rbx
        push    r12
        mov     rbx, rsi
        mov     r12, rdx
        mov     esi, 88
        mov     eax, SYS_clone3
        syscall
        test    rax, rax
        jz      step
        pop     r12
        pop     rbx
        ret
step:
        mov     rax, [rbx]
        cmp     rax, WAIT
        je      wait_for_go
        make_call
        jae     failed_step
next_step:
        add     rbx, 56
        jmp     step
failed_step:
        mov     [r12], rbx
        mov     [r12 + 8], rax
        mov     edi, 127
        mov     eax, SYS_exit_group
        syscall
        hlt

# In the process of a command, whose parent sleeps, and has nothing above its stack that we would write over.
command:
        call    receive
        jnc     step
        jmp     not_let_go

# Nothing but that byte lets it go on, neither an end nor any other.
wait_for_go:
        mov     edi, CONTROL
        mov     esi, OFFSET told
        mov     edx, 1
        mov     eax, SYS_read
        syscall
        cmp     rax, 1
        jne     not_let_go
        cmp     byte ptr [told], GO
        je      next_step
not_let_go:
        mov     rax, -ECANCELED
        jmp     failed_step

# Tell the launcher: the letter in ebx, the two numbers in r12d and r13d, what is in `said` + 16 and + 24.
tell:
        mov     dword ptr [said], ebx
        mov     dword ptr [said + 4], r12d
        mov     dword ptr [said + 8], r13d
        mov     edi, CONTROL
        mov     esi, OFFSET said
        mov     edx, 32
        mov     eax, SYS_write
        syscall
        ret

# Do the table at rbx in this process, up to a record whose number is -1. The carry flag says that a call
# failed: rbx is its record then, and rax its errno, negative.
do_table:
        mov     rax, [rbx]
        cmp     rax, -1
        je      table_done
        make_call
        jae     table_failed
        add     rbx, 56
        jmp     do_table
table_done:
        clc
        ret
table_failed:
        stc
        ret

# Wait for a message: a table, with the descriptors that it names. The carry flag says that none came whole.
receive:
        mov     dword ptr [vector], BLOB
        mov     dword ptr [vector + 8], BLOB_SIZE
        mov     dword ptr [message + 16], OFFSET vector
        mov     dword ptr [message + 24], 1
        mov     dword ptr [message + 32], OFFSET rights
        mov     dword ptr [message + 40], 256
        mov     edi, CONTROL
        mov     esi, OFFSET message
        mov     edx, 0x40000000                 # MSG_CMSG_CLOEXEC
        mov     eax, SYS_recvmsg
        syscall
        test    rax, rax
        jle     not_received
        test    dword ptr [message + 48], 0x28  # MSG_TRUNC | MSG_CTRUNC
        jnz     not_received
        clc
        ret
not_received:
        stc
        ret

# The first process of a job. It blocks every signal; it leaves when it is told to or nobody listens.
main:
        mov     qword ptr [children], -1
        mov     edi, 2                          # SIG_SETMASK
        mov     esi, OFFSET children
        xor     edx, edx
        mov     r10d, 8
        mov     eax, SYS_rt_sigprocmask
        syscall
        mov     eax, SYS_getpid
        syscall
        cmp     eax, 1                          # or its signals would go to every process of the machine
        jne     leave
        mov     edi, 4                          # PR_SET_DUMPABLE
        xor     esi, esi
        mov     eax, SYS_prctl
        syscall
        mov     edi, 15                         # PR_SET_NAME
        mov     esi, OFFSET name
        mov     eax, SYS_prctl
        syscall
        mov     qword ptr [children], 0x10000   # SIGCHLD
        mov     rdi, -1
        mov     esi, OFFSET children
        mov     edx, 8
        mov     r10d, 0x80800                   # SFD_CLOEXEC | SFD_NONBLOCK
        mov     eax, SYS_signalfd4
        syscall
        cmp     eax, CHILDREN
        jne     leave

# The first message is how it confines itself, and every command with it.
        call    receive
        jc      leave
        mov     ebx, BLOB
        call    do_table
        mov     r13, rax
        mov     r12d, 'B'
        jc      no_step

# The second is the command, for a process that waits for it: made now, so that no job waits for that.
# clone3(2) is not there any more, but vfork(2) is.
        mov     ebx, BLOB
        mov     r12d, OFFSET result
        mov     edi, 0x4111                     # CLONE_VM | CLONE_VFORK | SIGCHLD
        xor     esi, esi
        xor     edx, edx
        xor     r10d, r10d
        xor     r8d, r8d
        mov     eax, SYS_clone
        syscall
        test    rax, rax
        jz      command
        js      no_process
        mov     r14, rax
        mov     rbx, [result]
        mov     r13, [result + 8]
        mov     r12d, 'F'
        test    r13, r13
        jnz     no_step
        mov     edi, FIRST
        mov     esi, -1
        xor     edx, edx
        mov     eax, SYS_close_range
        syscall

# Watch it. That it runs is told when it has done so for a while: one that ends before is told of once.
        mov     dword ptr [polled], CONTROL
        mov     dword ptr [polled + 4], 1       # POLLIN
        mov     dword ptr [polled + 8], CHILDREN
        mov     dword ptr [polled + 12], 1
        mov     dword ptr [patience + 8], PATIENCE_NS
        mov     ebp, OFFSET patience
reap:
        mov     rdi, -1
        mov     esi, OFFSET status
        mov     edx, 1                          # WNOHANG
        xor     r10d, r10d
        mov     eax, SYS_wait4
        syscall
        cmp     rax, r14
        je      ended
        test    rax, rax
        jg      reap
        mov     edi, OFFSET polled
        mov     esi, 2
        mov     rdx, rbp                        # what is left of it comes back there: ppoll(2)
        xor     r10d, r10d
        mov     r8d, 8
        mov     eax, SYS_ppoll
        syscall
        test    rax, rax
        jz      runs
        cmp     word ptr [polled + 6], 0
        je      from_child
        mov     edi, CONTROL
        mov     esi, OFFSET told
        mov     edx, 1
        mov     eax, SYS_read
        syscall
        test    rax, rax
        jle     leave
        mov     rdi, -1
        movzx   esi, byte ptr [told]
        mov     eax, SYS_kill
        syscall
from_child:
        mov     edi, CHILDREN
        mov     esi, OFFSET told
        mov     edx, 128
        mov     eax, SYS_read
        syscall
        jmp     reap
runs:
        xor     ebp, ebp
        mov     ebx, 'S'
        xor     r12d, r12d
        xor     r13d, r13d
        call    tell
        jmp     reap

# It has ended: what is left of the job ends now, and then the launcher hears of it. What has no child here
# is alone; else the kernel would go through every process of the machine to find that out.
ended:
        mov     rdi, -1
        xor     esi, esi
        mov     edx, 0x40000001                 # __WALL | WNOHANG
        xor     r10d, r10d
        mov     eax, SYS_wait4
        syscall
        test    rax, rax
        jg      ended
        js      alone
        mov     rdi, -1
        mov     esi, 9                          # SIGKILL
        mov     eax, SYS_kill
        syscall
collect:
        mov     rdi, -1
        xor     esi, esi
        mov     edx, 0x40000000                 # __WALL
        xor     r10d, r10d
        mov     eax, SYS_wait4
        syscall
        test    rax, rax
        jg      collect
alone:
        mov     rdi, -1                         # RUSAGE_CHILDREN
        mov     esi, OFFSET usage
        mov     eax, SYS_getrusage
        syscall
        mov     rax, [usage]
        add     rax, [usage + 16]
        imul    rax, rax, 1000000
        add     rax, [usage + 8]
        add     rax, [usage + 24]
        mov     [said + 16], rax                # microseconds of processor time
        mov     rax, [usage + 32]
        mov     [said + 24], rax                # KiB of the largest process
        mov     ebx, 'E'
        mov     r12d, dword ptr [status]
        xor     r13d, r13d
        call    tell
leave:
        xor     edi, edi
        mov     eax, SYS_exit_group
        syscall
        hlt

no_process:
        mov     ebx, 'N'
        xor     r12d, r12d
        mov     r13, rax
        neg     r13
        call    tell
        jmp     leave

# A record, in rbx, failed with the errno in r13: the letter in r12d, and which record it was.
no_step:
        mov     rax, rbx
        sub     rax, BLOB
        xor     edx, edx
        mov     ecx, 56
        div     rcx
        mov     ebx, r12d
        mov     r12, rax
        neg     r13
        call    tell
        jmp     leave

name:   .asciz  "wand-init"
end:
