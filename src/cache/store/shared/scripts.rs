//! What the store does in one step.
//!
//! `UNLINK`, `ZREM`, `HDEL`, `PEXPIRE` and `PUBLISH` work on a server whose memory is full, so
//! what makes entries disappear never needs room.

use std::sync::LazyLock;

use crate::redis::Lua;

/// Answers with how many `heard` what was said, and with who is alive, each followed by the milliseconds
/// that its lease has left. Whoever let it run out is no longer waited for.
macro_rules! live {
    ($fleet:literal, $member:literal) => {
        concat!(
            "local live = { heard } ",
            "for _, id in ipairs(redis.call('SMEMBERS', ",
            $fleet,
            ")) do ",
            "local left = redis.call('PTTL', ",
            $member,
            " .. id) ",
            "if left > 0 then live[#live + 1] = id; live[#live + 1] = left ",
            "else redis.call('SREM', ",
            $fleet,
            ", id) end ",
            "end ",
            "return live"
        )
    };
}

/// Takes names away in portions that fit on the interpreter's stack.
macro_rules! unlink_from {
    ($first:literal) => {
        concat!(
            "for i = ",
            $first,
            ", #KEYS, 500 do redis.call('UNLINK', unpack(KEYS, i, math.min(i + 499, #KEYS))) end "
        )
    };
}

/// The time on the server's clock, in milliseconds, as `now`.
macro_rules! now {
    () => {
        "local time = redis.call('TIME') local now = time[1] * 1000 + math.floor(time[2] / 1000) "
    };
}

/// Keeps a member's lease, or enters it, and says so: a server that is full may forget a lease, and nobody
/// who hears of it does. Keys: the member, the fleet. Arguments: its identity, the milliseconds that the
/// lease lasts, what stands before identities, the channel to say it on.
pub(super) static BEAT: LazyLock<Lua> = LazyLock::new(|| {
    Lua::new(concat!(
        "if redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 0 then redis.call('SET', KEYS[1], '1', 'PX', ARGV[2]) end ",
        "if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 0 then redis.call('SADD', KEYS[2], ARGV[1]) end ",
        "local heard = redis.call('PUBLISH', ARGV[4], ARGV[1]) ",
        live!("KEYS[2]", "ARGV[3]")
    ))
});

/// Reads the generation of each key up to this one, and makes those that are missing, as `said`.
macro_rules! stamp_to {
    ($last:literal) => {
        concat!(
            "local said = {} ",
            "for i = 1, ",
            $last,
            " do ",
            "local known = redis.call('GET', KEYS[i]) ",
            "if not known then known = ARGV[i + 1]; redis.call('SET', KEYS[i], known, 'PX', ARGV[1]) ",
            "elseif redis.call('PTTL', KEYS[i]) * 2 < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end ",
            "said[i] = known ",
            "end "
        )
    };
}

/// Reads the generation of each key, and makes those that are missing. Arguments: how many
/// milliseconds an unused one lives, then for each key the one to make.
pub(super) static STAMP: LazyLock<Lua> =
    LazyLock::new(|| Lua::new(concat!(stamp_to!("#KEYS"), "return said")));

/// As [`STAMP`], and says whose turn it is to fetch what depends on these: `ours`, `theirs` or `refused`. A turn that
/// was taken under other generations is over: what comes of it is not valid. Keys: the generations, the turn.
/// Arguments: those of [`STAMP`], who we are, the milliseconds that a turn lasts. A server without room says `ours`.
pub(super) static TURN: LazyLock<Lua> = LazyLock::new(|| {
    Lua::new(concat!(
        stamp_to!("#KEYS - 1"),
        "local now, held = table.concat(said), redis.call('GET', KEYS[#KEYS]) ",
        "local own = now .. ARGV[#ARGV - 1] ",
        "if held == '-' then said[#KEYS] = 'refused' ",
        "elseif held and held ~= own and string.sub(held, 1, #now) == now then said[#KEYS] = 'theirs' ",
        "else said[#KEYS] = 'ours'; redis.pcall('SET', KEYS[#KEYS], own, 'PX', ARGV[#ARGV]) end ",
        "return said"
    ))
});

/// Ends turns that are still ours. Keys: the turns. Arguments: who we are, the milliseconds for which others remember
/// that something cannot be kept, then for each turn whether that is so.
pub(super) static TURNS_OVER: LazyLock<Lua> = LazyLock::new(|| {
    Lua::new(concat!(
        "for i, key in ipairs(KEYS) do ",
        "local held = redis.call('GET', key) ",
        "if held and string.sub(held, -#ARGV[1]) == ARGV[1] then ",
        "redis.call('UNLINK', key) ",
        "if ARGV[i + 2] == 'refused' then redis.pcall('SET', key, '-', 'PX', ARGV[2]) end ",
        "end ",
        "end"
    ))
});

/// Notes that a write is about to be forwarded. Keys: the intents, what is intended. Arguments:
/// its identity, the milliseconds to its deadline, what it may change.
pub(super) static ANNOUNCE: LazyLock<Lua> = LazyLock::new(|| {
    Lua::new(concat!(
        now!(),
        "redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1]) ",
        "redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])"
    ))
});

/// Carries out a change and tells everybody. Keys: the intents, what is intended, the fleet, the
/// generations. Arguments: the channel, what to say there, what stands before identities of
/// members, then the identities of the announcements that this completes.
pub(super) static CHANGE: LazyLock<Lua> = LazyLock::new(|| {
    Lua::new(concat!(
        unlink_from!("4"),
        "for i = 4, #ARGV do redis.call('ZREM', KEYS[1], ARGV[i]); redis.call('HDEL', KEYS[2], ARGV[i]) end ",
        "local heard = 0 ",
        "if ARGV[2] ~= '' then heard = redis.call('PUBLISH', ARGV[1], ARGV[2]) end ",
        live!("KEYS[3]", "ARGV[3]")
    ))
});

/// As [`ANNOUNCE`], and from now on nobody who is strict reads from the cache what may change. Keys:
/// the intents, what is intended, the fleet, then for each tag its writes, its marker and its
/// generation. Arguments: the channel, what to say there, what stands before identities of members,
/// the announcement's identity, the milliseconds to its deadline, what it may change.
pub(super) static MARK: LazyLock<Lua> = LazyLock::new(|| {
    Lua::new(concat!(
        now!(),
        "local due = now + ARGV[5] ",
        "redis.call('ZADD', KEYS[1], due, ARGV[4]) ",
        "redis.call('HSET', KEYS[2], ARGV[4], ARGV[6]) ",
        "for i = 4, #KEYS, 3 do ",
        "redis.call('ZADD', KEYS[i], due, ARGV[4]) ",
        "redis.call('SET', KEYS[i + 1], redis.call('ZREVRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2]) ",
        "redis.call('UNLINK', KEYS[i + 2]) ",
        "end ",
        "local heard = redis.call('PUBLISH', ARGV[1], ARGV[2]) ",
        live!("KEYS[3]", "ARGV[3]")
    ))
});

/// Ends what [`MARK`] began. Keys: the intents, what is intended, for each marked tag its writes and
/// its marker. Arguments: the announcement's identity.
pub(super) static UNMARK: LazyLock<Lua> = LazyLock::new(|| {
    Lua::new(concat!(
        now!(),
        "for i = 3, #KEYS, 2 do ",
        "redis.call('ZREM', KEYS[i], ARGV[1]) ",
        "redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now) ",
        "if redis.call('ZCARD', KEYS[i]) == 0 then redis.call('UNLINK', KEYS[i], KEYS[i + 1]) end ",
        "end ",
        "redis.call('ZREM', KEYS[1], ARGV[1]) ",
        "redis.call('HDEL', KEYS[2], ARGV[1])"
    ))
});

/// 1 if all of these markers were left by somebody who is gone. One that is not there any more was ended
/// just now: what was read before that may be from before its write. Keys: the markers. Arguments: the milliseconds
/// after a deadline in which others sweep.
pub(super) static LEFT: LazyLock<Lua> = LazyLock::new(|| {
    Lua::new(concat!(
        now!(),
        "for _, marker in ipairs(KEYS) do ",
        "local due = redis.call('GET', marker) ",
        "if not due or due + ARGV[1] >= now then return 0 end ",
        "end ",
        "return 1"
    ))
});

/// What is past its deadline: identities, each followed by what was intended. Keys: the intents, what
/// is intended. Arguments: at most how many.
pub(super) static OVERDUE: LazyLock<Lua> = LazyLock::new(|| {
    Lua::new(concat!(
        now!(),
        "local due = {} ",
        "for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do ",
        "local intended = redis.call('HGET', KEYS[2], id) ",
        "if intended then due[#due + 1] = id; due[#due + 1] = intended ",
        "else redis.call('ZREM', KEYS[1], id) end ",
        "end ",
        "return due"
    ))
});
