#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bluum_hooks_receiver_fuzz::targets::verify(input));
