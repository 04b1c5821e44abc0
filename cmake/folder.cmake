# pgmemo_folder(NAME SOURCES ... HEADERS ... LINKS ... PRIVATE_LINKS ...)
#
# One static library per folder. Its links are the architecture: what is not linked cannot be used, and
# tests/layers_test.py holds the includes to the same order. Headers stand in a file set, so that
# the target all_verify_interface_header_sets proves that each compiles alone.
function(pgmemo_folder name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(pgmemo_${name} STATIC ${ARG_SOURCES})
  target_sources(pgmemo_${name} PUBLIC
    FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
  target_link_libraries(pgmemo_${name}
    PUBLIC ${ARG_LINKS}
    PRIVATE pgmemo_flags ${ARG_PRIVATE_LINKS})
endfunction()
