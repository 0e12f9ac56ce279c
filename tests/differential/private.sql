-- What the hunt for leaks looks for: rows that name whoever may see them. Their owners own nothing else,
-- so that their names appear nowhere but here.

create table public.secrets (
  id integer primary key,
  owner_id uuid not null,
  tenant text not null,
  level text not null,
  canary text not null
);
alter table public.secrets enable row level security;
create policy secrets_of_one on public.secrets for all to authenticated
  using (owner_id = auth.uid() and tenant = auth.jwt() -> 'app_metadata' ->> 'tenant' and level <= auth.jwt() ->> 'aal');

-- Everybody who has signed in reads it, nobody else.
create table public.staff_notes (id integer primary key, canary text not null);
alter table public.staff_notes enable row level security;
create policy staff_notes_read on public.staff_notes for select to authenticated using (true);

insert into public.secrets (id, owner_id, tenant, level, canary)
select p * 100 + t * 10 + l, ('a0000000-0000-4000-8000-' || lpad(p::text, 12, '0'))::uuid,
       (array['acme', 'beta'])[t], 'aal' || l,
       'canary<' || p || ' ' || (array['acme', 'beta'])[t] || ' aal' || l || '>'
from generate_series(9, 12) p, generate_series(1, 2) t, generate_series(1, 2) l;

insert into public.staff_notes (id, canary) select n, 'canary<signed in>' from generate_series(1, 3) n;

insert into public.notifications (id, user_id, title)
select p * 100 + n, ('a0000000-0000-4000-8000-' || lpad(p::text, 12, '0'))::uuid, 'canary<' || p || '>'
from generate_series(9, 12) p, generate_series(1, p - 7) n;

insert into public.rental_payments (id, payer_id, amount)
select p, ('a0000000-0000-4000-8000-' || lpad(p::text, 12, '0'))::uuid, p from generate_series(9, 12) p;

-- Drafts: everybody else sees the published ones only.
insert into public.properties (id, title, city, price, status, owner_id, details, updated_at)
select p * 100, 'canary<' || p || '>', 'Dakar', p, 'draft',
       ('a0000000-0000-4000-8000-' || lpad(p::text, 12, '0'))::uuid, '{}', timestamptz '2020-01-01 09:00:00+00'
from generate_series(9, 12) p;
