// The writers in use for Node. Arguments: which, what is to be done, the file, and what that needs.
const fs = require('fs');
const { dirname, join } = require('path');
const [rival, deed, path, ...rest] = process.argv.slice(2);

const savers = {
    'write-file-atomic': async text => require('write-file-atomic')(path, text),
    'atomically': async text => (await import('atomically')).writeFile(path, text),
    'steno': async text => new (await import('steno')).Writer(path).write(text),
};
savers['proper-lockfile + write-file-atomic'] = savers['write-file-atomic'];
const save = savers[rival];

const under = async act => {
    if (!rival.startsWith('proper-lockfile')) return act();
    const release = await require('proper-lockfile').lock(path, { retries: { retries: 10000, minTimeout: 1, maxTimeout: 20 } });
    try { return await act(); } finally { await release(); }
};
const sync = path => { const handle = fs.openSync(path, 'r'); fs.fsyncSync(handle); fs.closeSync(handle); };
const read = () => JSON.parse(fs.readFileSync(path));

// What none of them does: a version is stored, and all is durable.
let number = 0;
const store = (folder, text) => {
    const staged = join(folder, '.new');
    fs.writeFileSync(staged, text);
    sync(staged);
    fs.renameSync(staged, join(folder, String(++number)));
    sync(folder);
};
const saveDurably = async text => {
    await save(text);
    if (rival === 'steno') sync(path);
    sync(dirname(path));
};

const deeds = {
    // Updates of one document that others update too.
    contend: async (name, count) => {
        const update = () => { const all = read(); (all[name] = all[name] || []).push(1); return save(JSON.stringify(all)); };
        for (let n = 0; n < Number(count); n++) {
            try { await under(update); } catch (error) { if (!(error instanceof SyntaxError)) throw error; }
        }
    },
    // Updates by this program alone, a version of each stored; tells how long they took.
    alone: async (folder, count) => {
        const update = n => under(async () => {
            const all = read();
            all.version = n;
            const text = JSON.stringify(all, null, 2);
            store(folder, text);
            await saveDurably(text);
        });
        await update(0);
        const begun = performance.now();
        for (let n = 1; n <= Number(count); n++) await update(n);
        console.log((performance.now() - begun) / 1000);
    },
    once: async text => under(() => save(fs.readFileSync(text))),
    forever: async (one, other) => {
        const texts = [one, other].map(name => fs.readFileSync(name));
        for (let n = 0; ; n++) await under(() => save(texts[n % 2]));
    },
};
deeds[deed](...rest).catch(error => { console.error(error.message); process.exit(1); });
