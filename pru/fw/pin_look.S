; SPDX-License-Identifier: MIT
; A look at the target's pins, called from all over PRU1's program: pru/fw/looks.py puts in
; `jal r13.w2, pin_look` so that a pulse of 200 ns is never between two of them.
;
; r12.w0: pins that are watched, as bits of r31; r12.w2: how they were when last looked at;
; r13: ours. The compiler leaves both alone. No edge: 3 cycles, no flag and no other register is
; touched. Otherwise all registers wait in the scratchpad until pin_event has stored it.
    .section .text.pin_look, "ax"
    .global pin_look
pin_look:
    and     r13.w0, r31.w0, r12.w0
    qbne    1f, r13.w0, r12.w2
    jmp     r13.w2
1:
    mov     r12.w2, r13.w0
    xout    10, r0.b0, 120
    mov     r14, r13.w0
    call    %label(pin_event)
    xin     10, r0.b0, 120
    jmp     r13.w2
