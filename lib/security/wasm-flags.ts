import { setFlagsFromString } from 'node:v8';

/**
 * Functions of a module of WebAssembly are checked when they are first called, not all of them when it is loaded: of the
 * policy engine's 4 MB a decision needs a fraction. To be loaded before any such module.
 */
setFlagsFromString('--wasm-lazy-validation');
