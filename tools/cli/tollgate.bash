# Completion of tollgate for bash.
_tollgate() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
  local token_options="--issuer --audience --jwks --now --leeway --algorithms --require-typ --profile --signature-only"
  case $before in
    --jwks | jwks | check | table | export | --policy | --claims | diff | reach | --key-file | --config | --ca-file | --token-file)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    --for) words="keycloak okta entra auth0" ;;
    --format) words="terminal markdown html" ;;
    --require-typ) words="at+jwt any" ;;
    --object) words="tool prompt resource method" ;;
    --principal) words="user service agent" ;;
    --profile | --issuer-profile) words="rfc9068 lenient auth0 cognito entra-v1 entra-v2 keycloak okta dangerous-google-id-token" ;;
    --algorithms) words="RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519" ;;
    *)
      case ${COMP_WORDS[1]} in
        verify) words="$token_options --help" ;;
        explain) words="$token_options --json --help" ;;
        policy)
          case ${COMP_WORDS[2]} in
            check) words="--help" ;;
            explain) words="--policy --tool --object --server --claims --issuer-profile --opaque --scope-wildcards --json --help" ;;
            diff) words="--json --help" ;;
            reach) words="--scope --role --principal --claims --issuer-profile --opaque --scope-wildcards --json --help" ;;
            table) words="--format --help" ;;
            export) words="--for --issuer --help" ;;
            *) words="check table explain diff reach export --help" ;;
          esac
          ;;
        audit)
          if [[ ${COMP_WORDS[2]} == verify && $COMP_CWORD -gt 2 && $word != -* ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
          fi
          words="verify --key-file --after --help"
          ;;
        doctor) words="--config --issuer --audience --profile --private-network --ca-file --token-file --json --help" ;;
        *) words="verify explain inspect jwks policy audit doctor --help --version" ;;
      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _tollgate tollgate
