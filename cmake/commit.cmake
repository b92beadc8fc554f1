# Run at each build: writes FILE, which names the last commit that changed what the program is made of ("-changed" where the
# tree differs from it, "" outside a repository), and leaves it alone where it says so already. A commit of documents or scripts changes nothing.
set(sources src include cmake CMakeLists.txt CMakePresets.json)
execute_process(COMMAND git log -1 --format=%h -- ${sources} WORKING_DIRECTORY ${SOURCE}
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
if(failed)
  set(commit "")
endif()
execute_process(COMMAND git --no-optional-locks status --porcelain -- ${sources} WORKING_DIRECTORY ${SOURCE}
  OUTPUT_VARIABLE changes ERROR_QUIET)
if(commit AND changes)
  string(APPEND commit "-changed")
endif()
set(text "#define PARE_COMMIT \"${commit}\"\n")
set(old "")
if(EXISTS ${FILE})
  file(READ ${FILE} old)
endif()
if(NOT old STREQUAL text)
  file(WRITE ${FILE} "${text}")
endif()
