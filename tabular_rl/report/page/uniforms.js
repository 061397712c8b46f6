// The random numbers of Python's learners: run e of a seed draws from PCG64(SeedSequence(seed).spawn(runs)[e]).
// The same bits as NumPy's: tests/page/test_uniforms.py.

const WORDS = 4; // of 32 bits in the pool of a seed sequence
const HALVES = 8; // of 16 bits in the state of the generator, the lowest first
const MULTIPLIER = halvesOf("2360ed051fc65da44385df649fccf645");

function halvesOf(hex) {
  return Array.from({ length: HALVES }, (_, i) => parseInt(hex.slice(hex.length - 4 * (i + 1), hex.length - 4 * i), 16));
}

// The hash of a seed sequence: a constant goes on with every word.
function seedHash(constant, factor) {
  let c = constant;
  return (word) => {
    let x = word ^ c;
    c = Math.imul(c, factor);
    x = Math.imul(x, c);
    return x ^ (x >>> 16);
  };
}

function mixWords(x, y) {
  const r = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y);
  return r ^ (r >>> 16);
}

// The pool of SeedSequence(seed, spawn_key=(run,)); seed is a whole number from 0 to 2^53 - 1.
function seedPool(seed, run) {
  const entropy = [seed >>> 0, Math.floor(seed / 4294967296) >>> 0, 0, 0, run];
  const hash = seedHash(0x43b0d7e5, 0x931e8875);
  const pool = entropy.slice(0, WORDS).map(hash);
  for (let from = 0; from < WORDS; from++) {
    for (let to = 0; to < WORDS; to++) {
      if (from !== to) pool[to] = mixWords(pool[to], hash(pool[from]));
    }
  }
  for (let to = 0; to < WORDS; to++) pool[to] = mixWords(pool[to], hash(entropy[WORDS]));
  return pool;
}

// state ← state MULTIPLIER + increment, modulo 2^128
function stepHalves(state, increment, scratch) {
  let carry = 0;
  for (let k = 0; k < HALVES; k++) {
    let sum = carry + increment[k];
    for (let i = 0; i <= k; i++) sum += state[i] * MULTIPLIER[k - i];
    carry = Math.floor(sum / 65536);
    scratch[k] = sum - 65536 * carry;
  }
  state.set(scratch);
}

// uniformStream(seed, run) -> next(): uniform numbers in [0, 1), those that run number `run` of a learner draws.
export function uniformStream(seed, run = 0) {
  const pool = seedPool(seed, run);
  const hash = seedHash(0x8b51f9dd, 0x58f38ded);
  const words = Array.from({ length: 8 }, (_, i) => hash(pool[i % WORDS]) >>> 0);
  // Four numbers of 64 bits, low word first: the start's high and low half, the sequence's high and low half.
  const halves = (low) => [words[low] & 65535, words[low] >>> 16, words[low + 1] & 65535, words[low + 1] >>> 16];
  const begin = [...halves(2), ...halves(0)];
  const sequence = [...halves(6), ...halves(4)];
  const increment = new Float64Array(HALVES);
  for (let k = 0; k < HALVES; k++) {
    increment[k] = ((sequence[k] << 1) & 65535) | (k === 0 ? 1 : sequence[k - 1] >>> 15);
  }
  const state = new Float64Array(HALVES);
  const scratch = new Float64Array(HALVES);
  stepHalves(state, increment, scratch);
  let carry = 0;
  for (let k = 0; k < HALVES; k++) {
    const sum = state[k] + begin[k] + carry;
    carry = sum >= 65536 ? 1 : 0;
    state[k] = sum - 65536 * carry;
  }
  stepHalves(state, increment, scratch);
  return () => {
    stepHalves(state, increment, scratch);
    const low = ((state[0] ^ state[4]) | ((state[1] ^ state[5]) << 16)) >>> 0;
    const high = ((state[2] ^ state[6]) | ((state[3] ^ state[7]) << 16)) >>> 0;
    const turn = state[7] >> 10; // rotate right by the highest six bits
    const [a, b] = turn < 32 ? [high, low] : [low, high];
    const by = turn & 31;
    const top = by === 0 ? a : ((a >>> by) | (b << (32 - by))) >>> 0;
    const bottom = by === 0 ? b : ((b >>> by) | (a << (32 - by))) >>> 0;
    return (top * 2097152 + (bottom >>> 11)) / 9007199254740992; // the highest 53 bits
  };
}
