//! The opcodes of pickle: those that are read, and the names of all. Source: `pickletools` of
//! Python.

macro_rules! opcodes {
    (
        read: $($read:ident = $code:literal),* ;
        named: $($other:literal = $name:literal),* $(,)?
    ) => {
        $(pub(super) const $read: u8 = $code;)*

        /// The name of an opcode in Python.
        pub(super) fn name(opcode: u8) -> &'static str {
            match opcode {
                $($read => stringify!($read),)*
                $($other => $name,)*
                _ => "unknown",
            }
        }
    };
}

opcodes! {
    read:
    MARK = b'(', STOP = b'.', NONE = b'N', NEWTRUE = 0x88, NEWFALSE = 0x89, BININT = b'J', BININT1
    = b'K', BININT2 = b'M', LONG1 = 0x8a, BINUNICODE = b'X', SHORT_BINUNICODE = 0x8c, EMPTY_LIST =
    b']', EMPTY_DICT = b'}', EMPTY_TUPLE = b')', TUPLE = b't', TUPLE1 = 0x85, TUPLE2 = 0x86,
    TUPLE3 = 0x87, SETITEM = b's', SETITEMS = b'u', BINPUT = b'q', LONG_BINPUT = b'r', MEMOIZE =
    0x94, BINGET = b'h', LONG_BINGET = b'j', GLOBAL = b'c', STACK_GLOBAL = 0x93, REDUCE = b'R',
    BUILD = b'b', BINPERSID = b'Q', PROTO = 0x80, FRAME = 0x95;
    named:
    b'0' = "POP", b'1' = "POP_MARK", b'2' = "DUP", b'F' = "FLOAT", b'G' = "BINFLOAT", b'I' =
    "INT", b'L' = "LONG", b'P' = "PERSID", b'S' = "STRING", b'T' = "BINSTRING", b'U' =
    "SHORT_BINSTRING", b'V' = "UNICODE", b'a' = "APPEND", b'd' = "DICT", b'e' = "APPENDS", b'g' =
    "GET", b'i' = "INST", b'l' = "LIST", b'o' = "OBJ", b'p' = "PUT", 0x81 = "NEWOBJ", 0x82 =
    "EXT1", 0x83 = "EXT2", 0x84 = "EXT4", 0x8b = "LONG4", b'B' = "BINBYTES", b'C' =
    "SHORT_BINBYTES", 0x8d = "BINUNICODE8", 0x8e = "BINBYTES8", 0x8f = "EMPTY_SET", 0x90 =
    "ADDITEMS", 0x91 = "FROZENSET", 0x92 = "NEWOBJ_EX", 0x96 = "BYTEARRAY8", 0x97 = "NEXT_BUFFER",
    0x98 = "READONLY_BUFFER",
}
