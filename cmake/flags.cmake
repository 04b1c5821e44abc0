# pgmemo_flags: every target of the project links it, nothing else sets flags.
add_library(pgmemo_flags INTERFACE)
target_compile_options(pgmemo_flags INTERFACE
  -Wall -Wextra -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast>)
target_compile_definitions(pgmemo_flags INTERFACE
  BOOST_ASIO_NO_DEPRECATED SPDLOG_FMT_EXTERNAL PGMEMO_VERSION="${PROJECT_VERSION}")
target_link_libraries(pgmemo_flags INTERFACE Threads::Threads)

if(PGMEMO_SANITIZE)
  target_compile_options(pgmemo_flags INTERFACE
    -fsanitize=${PGMEMO_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(pgmemo_flags INTERFACE -fsanitize=${PGMEMO_SANITIZE})
  # With instrumentation in between, g++ 12 mistakes Asio's own frame allocator for a mismatch, and Boost's results for uninitialised.
  target_compile_options(pgmemo_flags INTERFACE
    -Wno-maybe-uninitialized $<$<COMPILE_LANGUAGE:CXX>:-Wno-mismatched-new-delete>)
  # clang builds the fuzzers only; the warnings are g++'s business.
  target_compile_options(pgmemo_flags INTERFACE $<$<CXX_COMPILER_ID:Clang>:-w> $<$<C_COMPILER_ID:Clang>:-w>)
  if(PGMEMO_SANITIZE MATCHES thread)
    # Asio's fences: g++ says that tsan does not see them, and it need not.
    target_compile_options(pgmemo_flags INTERFACE -Wno-tsan)
  endif()
endif()
