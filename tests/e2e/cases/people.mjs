// Signing up and in, and row-level security: each sees their own, through a cache that both fill.
import { act, read, write } from '../case.mjs';

const PASSWORD = 'correct horse battery staple';

const signUp = (who) => async (side) => {
  const answer = await side[who].auth.signUp({ email: `${who}@example.com`, password: PASSWORD });
  const { user } = answer.data; // none when it is done again
  if (user) {
    side[`${who}Id`] = user.id;
    side.names.set(user.id, `<${who}>`);
  }
  return answer;
};
const signIn = (who) => (side) => side[who].auth.signInWithPassword({ email: `${who}@example.com`, password: PASSWORD });

const profiles = (side) => side.anon.from('profiles').select('full_name').in('full_name', ['ann', 'ben']).order('full_name');
const ownNotifications = (who) => (side) => side[who].from('notifications').select('id,title').order('id');
const notifications = (side) => ['ann', 'ben', 'anon'].reduce(
  async (seen, who) => ({ ...(await seen), [who]: await ownNotifications(who)(side) }), {});

export const people = [
  // a rule says that signing up changes profiles; a trigger of the database makes it so
  write('sign-up makes a profile', { sees: { profiles }, act: signUp('ann'), changes: ['profiles'] }),
  act('a second person signs up', signUp('ben')),
  act('signing in', signIn('ann')),
  act('the other signs in', signIn('ben')),
  act('a wrong password', (side) => side.anon.auth.signInWithPassword({ email: 'ann@example.com', password: 'wrong' })),
  act('who am I', (side) => side.ann.auth.getUser()),

  write('each writes rows of their own', {
    sees: { notifications },
    act: async (side) => [
      await side.ann.from('notifications').insert([{ id: 1, user_id: side.annId, title: 'for Ann' }, { id: 2, user_id: side.annId, title: 'Ann again' }]),
      await side.ben.from('notifications').insert({ id: 3, user_id: side.benId, title: 'for Ben' }).select(),
    ],
    changes: ['notifications'],
  }),
  read('each sees their own rows, interleaved', async (side) => {
    const seen = await notifications(side);
    const titles = Object.values(seen).map(({ data }) => data.map(({ title }) => title).join(', '));
    // not only equal on both sides, but right
    if (titles.join('; ') !== 'for Ann, Ann again; for Ben; ') throw new Error(`${side.name}: wrong rows: ${titles.join('; ')}`);
    return [seen, await ownNotifications('ben')(side), await ownNotifications('ann')(side)];
  }),
  act('nobody writes for somebody else', (side) => side.ben.from('notifications').insert({ id: 4, user_id: side.annId, title: 'forged' }).select()),
  act('nobody changes what is not theirs', (side) => side.ben.from('notifications').update({ title: 'mine' }).eq('id', 1).select()),
  write('one row is marked as read', {
    sees: {
      notifications,
      unread: (side) => side.ann.from('notifications').select('id').eq('user_id', side.annId).is('read_at', null),
      ofBen: (side) => side.ben.from('notifications').select('id').eq('user_id', side.benId).is('read_at', null),
    },
    act: (side) => side.ann.from('notifications').update({ read_at: '2024-05-01T08:00:00Z' }).eq('id', 1).eq('user_id', side.annId).select('id,read_at'),
    changes: ['unread'],
    keeps: ['ofBen'],
  }),
  write('a profile is renamed, and the homes that embed it', {
    sees: { own: (side) => side.ann.from('profiles').select('full_name').eq('id', side.annId).single() },
    act: (side) => side.ann.from('profiles').update({ full_name: 'Ann Diop' }).eq('id', side.annId),
    changes: ['own'],
  }),

  read('what is never to be cached', (side) => side.ann.from('rental_payments').select(), 'pass rule-says-never'),
  read('the service key sees everything, and is not cached', (side) => side.service.from('notifications').select('id').order('id'), 'pass service-key'),
  act('a forged token', (side) => side.raw('/rest/v1/properties?select=id&limit=1', { headers: { authorization: 'Bearer e30.e30.e30' } })),
];
