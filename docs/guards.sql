-- What SQL can do with the numbers that Larder sends with a locked write; docs/guards.md explains it.

-- The highest fence that each lock has written under. Nobody reads it but the function below.
create table public.larder_fences (
  lock text primary key,
  fence bigint not null
);
alter table public.larder_fences enable row level security;

-- Refuses whoever comes with a lock that somebody else has taken since. Two writes under one lock
-- also wait for each other here, until the first one's transaction ends.
create function public.larder_fence() returns void
language plpgsql security definer set search_path = '' as $$
declare
  headers json := nullif(current_setting('request.headers', true), '')::json;
  locks text[] := string_to_array(headers ->> 'x-larder-lock', ', ');
  fences bigint[] := string_to_array(headers ->> 'x-larder-fence', ', ')::bigint[];
begin
  for i in 1 .. coalesce(array_length(locks, 1), 0) loop
    insert into public.larder_fences as known (lock, fence) values (locks[i], fences[i])
    on conflict (lock) do update set fence = excluded.fence where known.fence < excluded.fence;
    if not found then
      raise sqlstate 'PT409' using
        message = 'this lock was taken by somebody else meanwhile',
        detail = locks[i];
    end if;
  end loop;
end
$$;
