-- Payments that take a while, and a constraint that no two of one lease were made at the same time.
create table public.paid (
  id bigint generated always as identity primary key,
  lease integer not null,
  span tstzrange not null,
  exclude using gist (int4range(lease, lease, '[]') with &&, span with &&)
);
alter table public.paid enable row level security;

create function public.pay(lease integer, seconds double precision) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  began timestamptz := clock_timestamp();
  payment bigint;
begin
  perform pg_sleep(seconds);
  insert into public.paid (lease, span) values (pay.lease, tstzrange(began, clock_timestamp(), '[]'))
  returning id into payment;
  return payment;
end
$$;

create function public.pay_fenced(lease integer) returns bigint
language plpgsql security definer set search_path = '' as $$
begin
  perform public.larder_fence();
  return public.pay(lease, 0);
end
$$;
