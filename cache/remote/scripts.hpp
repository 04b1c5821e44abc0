#pragma once

#include <string_view>

/// What Redis does in one step with version words (word_value.hpp). KEYS are words. A value that is none is taken for a
/// lost one, whatever type it has.
namespace pgmemo::cache::scripts {

/// ARGV: version, owner, nobody. Gives each the version, with the owner among its owners; a lost one nobody as well.
inline constexpr std::string_view kBegin = R"lua(
for i = 1, #KEYS do
  local v = redis.pcall('GET', KEYS[i])
  local owners = ARGV[3]
  if type(v) == 'string' and #v >= 8 and #v % 8 == 0 and #v <= 8000 then owners = string.sub(v, 9) end
  local found = false
  for j = 1, #owners, 8 do
    if string.sub(owners, j, j + 7) == ARGV[2] then found = true end
  end
  if not found then owners = owners .. ARGV[2] end
  redis.call('SET', KEYS[i], ARGV[1] .. owners)
end
return redis.status_reply('OK'))lua";

/// ARGV: owner. Takes the owner away; the version stays.
inline constexpr std::string_view kEnd = R"lua(
for i = 1, #KEYS do
  local v = redis.pcall('GET', KEYS[i])
  if type(v) == 'string' and #v >= 8 and #v % 8 == 0 then
    for j = 9, #v, 8 do
      if string.sub(v, j, j + 7) == ARGV[1] then
        redis.call('SET', KEYS[i], string.sub(v, 1, j - 1) .. string.sub(v, j + 8))
        break
      end
    end
  end
end
return redis.status_reply('OK'))lua";

/// ARGV: version, nobody. Gives each the version; a lost one nobody as well.
inline constexpr std::string_view kMove = R"lua(
for i = 1, #KEYS do
  local v = redis.pcall('GET', KEYS[i])
  local owners = ARGV[2]
  if type(v) == 'string' and #v >= 8 and #v % 8 == 0 then owners = string.sub(v, 9) end
  redis.call('SET', KEYS[i], ARGV[1] .. owners)
end
return redis.status_reply('OK'))lua";

/// ARGV: version, nobody. Makes those that are lost.
inline constexpr std::string_view kMake = R"lua(
for i = 1, #KEYS do
  local v = redis.pcall('GET', KEYS[i])
  if not (type(v) == 'string' and #v >= 8 and #v % 8 == 0) then
    redis.call('SET', KEYS[i], ARGV[1] .. ARGV[2])
  end
end
return redis.status_reply('OK'))lua";

} // namespace pgmemo::cache::scripts
