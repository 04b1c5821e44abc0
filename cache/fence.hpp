#pragma once

namespace pgmemo::cache {

/// The fence is what DESIGN §5 says of versions: `begin` before a commit may be sent, a fill stored only under the
/// stamp it began with. Without it (a test build alone) the cache invalidates as others do: after the commit, and
/// whatever arrives later is stored as if it were new. Include it in .cpp files only: headers must not differ between
/// the two builds.
#ifdef PGMEMO_FENCE_OFF
inline constexpr bool kFenced = false;
#else
inline constexpr bool kFenced = true;
#endif

} // namespace pgmemo::cache
