// Makes package-lock.json whole on every platform; run it (`npm run lock`) after each install that changes the lock.
// npm leaves an optional platform package out of the lock when the registry at hand does not serve it, and `npm ci`
// then refuses that very lock ("Missing: … from lock file"). Each left-out package is named, with its exact version,
// by its parent's optionalDependencies: that is enough for `npm ci` to know it and to pass it by.
import { readFileSync, writeFileSync } from 'node:fs';

const OPERATING_SYSTEMS = 'aix android darwin freebsd linux netbsd openbsd openharmony sunos win32'.split(
  ' ',
);
const PROCESSORS = 'arm64 arm x64 ia32 ppc64 s390x riscv64 loong64 mips64el wasm32'.split(' ');
const LIBRARIES = { gnu: 'glibc', musl: 'musl' };

/** `@scope/name-linux-arm64-musl` → `{ os: ['linux'], cpu: ['arm64'], libc: ['musl'] }`. */
function platformOf(name) {
  const words = name.split('/').at(-1).split('-');
  const os = OPERATING_SYSTEMS.find((known) => words.includes(known));
  const cpu =
    PROCESSORS.find((known) => words.includes(known)) ??
    (words.some((word) => word.startsWith('arm')) ? 'arm' : undefined);
  const libc = words.map((word) => LIBRARIES[word]).find(Boolean);
  return { ...(cpu && { cpu: [cpu] }), ...(libc && { libc: [libc] }), ...(os && { os: [os] }) };
}

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const added = [];
for (const [path, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const top = `node_modules/${name}`;
    if (lock.packages[top] || lock.packages[`${path}/${top}`]) continue;
    if (!/^\d+\.\d+\.\d+/.test(version)) {
      console.warn(`left out: ${name}@${version} (no exact version to write down)`);
      continue;
    }
    lock.packages[top] = { version, ...(parent.dev && { dev: true }), optional: true, ...platformOf(name) };
    added.push(name);
  }
}
for (const entry of Object.values(lock.packages)) delete entry.resolved; // no registry's address in the repository
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length ? `added ${added.length}: ${added.join(', ')}` : 'nothing was missing');
