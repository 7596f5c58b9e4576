'use strict';
// Drives a router with routeros-client, which reads rows back after each write
// and turns what it reads into values of its own.

const { RouterOSClient } = require('routeros-client');
const { env, where, report, same, has, refused, run } = require('./check.js');

const strip = (rows) => rows.map((r) => { const c = Object.assign({}, r); delete c.$$path; return c; });

run(async () => {
  const wrong = new RouterOSClient(Object.assign({}, where, { password: 'x' }));
  wrong.on('error', () => {});
  await refused('wrong password', wrong.connect(), /Username or password is invalid/);

  const client = new RouterOSClient(where);
  const api = await client.connect();
  const resource = await api.menu('/system resource').getOnly();
  has('resource', resource, { version: env.ROUTER_VERSION + ' (stable)', platform: 'MikroTik' });
  same('uptime is a time', /^([0-9]+[wdhms])+$/.test(String(resource.uptime)), true);

  const pools = () => api.menu('/ip pool');
  same('nothing yet', await pools().get(), []);
  const pool = await pools().add({ name: 'clients', ranges: '10.10.50.10-10.10.50.50' });
  has('added pool', pool, { name: 'clients', ranges: '10.10.50.10-10.10.50.50' });
  const profile = await api.menu('/ppp profile').add({ name: 'l2tp', localAddress: '10.10.50.1', remoteAddress: 'clients' });
  has('added profile', profile, { name: 'l2tp', localAddress: '10.10.50.1', remoteAddress: 'clients', useCompression: 'default' });

  const secrets = () => api.menu('/ppp secret');
  const a = await secrets().add({ name: 'a', password: 'pw-a', service: 'l2tp', profile: 'l2tp' });
  has('added secret', a, { name: 'a', service: 'l2tp', profile: 'l2tp', limitBytesIn: 0, disabled: false, comment: undefined });
  const b = await secrets().add({ name: 'b', password: 'pw-b', comment: 'second' });
  has('defaults', b, { service: 'any', profile: 'default' });
  same('where', (await secrets().where('name', 'b').get()).map((r) => r.name), ['b']);
  same('or', (await secrets().where('name', 'b').orWhere('name', 'a').get()).map((r) => r.name), ['a', 'b']);
  same('not', (await secrets().whereNot('name', 'b').get()).map((r) => r.name), ['a']);
  same('exists not', (await secrets().whereEmpty('comment').get()).map((r) => r.name), ['a']);
  same('only', strip(await secrets().only(['id', 'name']).get()), [{ id: a.id, name: 'a' }, { id: b.id, name: 'b' }]);
  same('count', strip(await secrets().options('count-only').get()), [{ ret: 2 }]);
  same('none', await secrets().where('name', 'c').get(), []);

  has('update', await secrets().update({ callerId: '192.0.2.1', comment: 'first', remoteAddress: '10.10.50.9' }, a.id), { id: a.id, callerId: '192.0.2.1', comment: 'first', remoteAddress: '10.10.50.9' });
  has('disable', await secrets().disable(a.id), { disabled: true });
  has('enable', await secrets().enable(a.id), { disabled: false });
  has('unset', await secrets().unset('remoteAddress', a.id), { remoteAddress: undefined, callerId: '192.0.2.1' });
  has('update found by a query', await secrets().where('name', 'b').update({ disabled: true }), { id: b.id, disabled: true });
  await refused('unknown profile', secrets().update({ profile: 'nosuch' }, a.id), /^input does not match any value of profile$/);
  await refused('unknown attribute', secrets().add({ name: 'c', frob: 1 }), /^unknown parameter/);
  await refused('duplicate', secrets().add({ name: 'a' }), /^failure: secret with the same name already exists$/);

  const ppp = await api.menu('/ip ipsec profile').add({ name: 's2s', dhGroup: 'modp2048,ecp384', encAlgorithm: 'aes-128,aes-256', dpdInterval: '300s' });
  has('ipsec profile', ppp, { dhGroup: 'ecp384,modp2048', encAlgorithm: 'aes-256,aes-128', dpdInterval: '5m', dpdMaximumFailures: 4, natTraversal: true, lifetime: '1d' });
  const peer = await api.menu('/ip ipsec peer').add({ name: 'site-b', address: '198.51.100.2', profile: 's2s' });
  has('peer', peer, { address: '198.51.100.2/32', exchangeMode: 'main', sendInitialContact: true, dynamic: false });
  const policy = await api.menu('/ip ipsec policy').add({ peer: 'site-b', tunnel: true, srcAddress: '10.10.1.0/24', dstAddress: '10.10.2.0/24' });
  has('policy', policy, { peer: 'site-b', tunnel: true, action: 'encrypt', level: 'require', proposal: 'default', invalid: false, dynamic: false, template: undefined });
  has('policy without a peer', await api.menu('/ip ipsec policy').disable(policy.id), { disabled: true });

  const nat = () => api.menu('/ip firewall nat');
  const order = async () => (await nat().get()).map((r) => r.comment).join('');
  const ids = [];
  for (const comment of ['a', 'b', 'c']) {
    ids.push((await nat().add({ chain: 'srcnat', action: 'accept', comment })).id);
  }
  await nat().move(ids[2], ids[0]);
  same('move', await order(), 'cab');
  await nat().add({ chain: 'srcnat', action: 'masquerade', comment: 'd', placeBefore: ids[0] });
  same('place before', await order(), 'cdab');
  const [model] = await nat().where('comment', 'c').getModel();
  await model.move();
  same('a model moves to the end', await order(), 'dabc');
  await model.update({ comment: 'e' });
  same('a model is read back', model.comment, 'e');
  await model.remove();
  same('a model is removed', await order(), 'dab');
  await nat().where('action', 'accept').remove();
  same('removed by a query', await order(), 'd');
  await nat().where('comment', 'd').remove();

  const server = api.menu('/interface l2tp-server server');
  has('a settings menu', await server.update({ enabled: true, defaultProfile: 'l2tp' }, undefined).catch((e) => ({ enabled: e.message })), { enabled: true, defaultProfile: 'l2tp' });
  report('its row has no id', (await api.menu('/interface l2tp-server server').getOnly()).id === undefined);

  await secrets().remove(a.id);
  same('one left', (await secrets().get()).map((r) => r.name), ['b']);
  await secrets().where('name', 'b').delete();
  same('none left', await secrets().get(), []);
  await client.close();
});
