'use strict';
// node-routeros takes !empty, which 7.18 brought, for a fault in the protocol: a
// router that answers a read without rows so breaks it.

const { RouterOSAPI } = require('node-routeros');
const { where, same, report, run } = require('./check.js');

run(async () => {
  const api = await new RouterOSAPI(where).connect();
  same('a read with rows', (await api.write('/ppp/profile/print', ['=.proplist=name'])).map((r) => r.name), ['default', 'default-encryption']);
  const broken = new Promise((resolve) => process.once('uncaughtException', resolve));
  const e = await Promise.race([broken, api.write('/ip/pool/print')]);
  report('a read without rows', e instanceof Error && e.errno === 'UNKNOWNREPLY', JSON.stringify(e));
});
